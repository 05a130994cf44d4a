"""InferCept: preserve, swap or discard a context while its tool runs, whichever wastes least memory over time.

Abhyankar et al., "InferCept: Efficient Intercept Support for Augmented Large Language Model Inference" (ICML 2024),
section 4. Waste, in tokens of KV times seconds, of a context of C tokens:

- preserving it for the T seconds of the tool: T C;
- discarding it: while it is computed again, in chunks beside what runs, half of C on average is there to no use, and
  all other contexts wait: T_forward(C) (C / 2 + C_other);
- swapping it: nothing as far as the copies go unnoticed beside the computing, so it is chosen first, for contexts that
  would waste more than a copy takes, while host memory has room.

T is the mean of the same tool's calls so far, over all sessions. As in the paper, a call that takes longer than it was
worth preserving for is reconsidered; it then discards. Requests resume in order of their original arrival.
"""

from interface import Retention

FIRST_GUESS = 5.0  # seconds of a tool that has not been called before
BLOCK = 16  # tokens

durations = {}  # tool: (calls, seconds in all)


def retain(now, session, engine):
    learn(session)
    others = BLOCK * engine.used
    preserve_rate = session.context_tokens
    discard = session.recompute_s * (session.context_tokens / 2 + others)
    preserve = expected(session.tool) * preserve_rate
    if session.kv_blocks <= engine.host_blocks and min(preserve, discard) > 2 * session.swap_s * preserve_rate:
        return Retention(0.0, "swap")
    if preserve > discard:
        return Retention(0.0, "discard")
    return Retention(discard / preserve_rate, "discard")


def order(now, waiting, engine):
    return [turn.id for turn in sorted(waiting, key=lambda turn: turn.started)]


def learn(session):
    if session.tools:
        calls, seconds = durations.get(session.tools[-1], (0, 0.0))
        durations[session.tools[-1]] = calls + 1, seconds + session.gaps[-1]


def expected(tool):
    calls, seconds = durations.get(tool, (1, FIRST_GUESS))
    return seconds / calls
