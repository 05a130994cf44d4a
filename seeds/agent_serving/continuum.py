"""Continuum: KV is pinned while a tool runs, with a time to live, and programs are served first come, first served.

Li et al., "Continuum: Efficient and Robust Multi-Turn LLM Agent Scheduling with KV Cache Time-to-Live" (arXiv
2511.02230). The rule is that of its later versions (from v2 on; v1 and the preview of its code pin for a fixed 2 s the
tools that take less on average). The time to live t maximizes

    P(the tool is done within t) (eta Q + recompute) - t

where Q is the mean time that turns have waited whose KV had not been kept, `recompute` the time to compute the context
anew, and eta = -corr(turns done, turns left) over the programs completed so far. P is the distribution of what was
measured: of this tool if there are more than 100 calls, else of all tools if there are, else exponential with a mean of
1 s (and eta = 1). Waiting turns: the preempted, then those whose KV is pinned, then by their program's arrival.
"""

import math
from bisect import insort

import numpy as np
from interface import Retention

COLD_START = 100  # calls
PRIOR_MEAN = 1.0  # seconds

of_tool = {}  # tool: seconds of its calls, sorted
of_all = []
kept = {}  # session: (time to live granted last, seconds waited before)
waits = [0, 0.0]  # of turns whose KV was not kept: how many, seconds
done, left = [], []  # turns done and left at each turn but the last of the programs completed so far
eta = [0.0]


def retain(now, session, engine):
    learn_tool(session)
    learn_lengths(engine)
    seconds = time_to_live(session)
    kept[session.id] = seconds, session.waited_s
    return Retention(seconds)


def order(now, waiting, engine):
    learn_lengths(engine)
    return [turn.id for turn in sorted(waiting, key=lambda turn: (not turn.preempted, not turn.pinned, turn.started))]


def time_to_live(session):
    samples = of_tool.get(session.tool, [])
    if len(samples) <= COLD_START:
        samples = of_all
    queueing = waits[1] / waits[0] if waits[0] else 0.0
    if len(samples) <= COLD_START:
        benefit = queueing + session.recompute_s
        return PRIOR_MEAN * math.log(benefit / PRIOR_MEAN) if benefit > PRIOR_MEAN else 0.0
    seconds = np.array(samples)
    share_done = np.arange(1, len(samples) + 1) / len(samples)
    utility = share_done * (eta[0] * queueing + session.recompute_s) - seconds
    best = int(np.argmax(utility))
    return float(seconds[best]) if utility[best] > 0.0 else 0.0


def learn_tool(session):
    """What the turn before tells: how long its tool took, and how long the turn waited if its KV was not kept."""
    if session.tools:
        insort(of_tool.setdefault(session.tools[-1], []), session.gaps[-1])
        insort(of_all, session.gaps[-1])
        seconds, waited = kept[session.id]
        if session.gaps[-1] > seconds:
            waits[0] += 1
            waits[1] += session.waited_s - waited


def learn_lengths(engine):
    for turns in engine.ended:
        done.extend(range(1, turns))
        left.extend(range(turns - 1, 0, -1))
    if engine.ended and len(set(done)) > 1 and len(set(left)) > 1:
        eta[0] = -float(np.corrcoef(done, left)[0, 1])
