"""Autellix: the calls of programs that have received least service so far come first.

Luo et al., "Autellix: An Efficient Serving Engine for LLM Agents as General Programs" (arXiv 2502.13965), section 4,
PLAS for programs of one thread: a call's priority is the time that the program's earlier calls have run, in discrete
queues whose limits double; within a queue, first come, first served. A program that has waited for too long as
compared with its service moves to the first queue. Cached KV is evicted least recently used first, as in vLLM.
Autellix also preempts running calls, which here is the engine's to do.
"""

import math

from interface import Retention

QUANTUM = 2.0  # seconds of service: the first queue's limit
STARVING = 4.0  # waiting over service


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [turn.id for turn in sorted(waiting, key=lambda turn: (queue(now, turn), turn.arrived))]


def queue(now, turn):
    waited = turn.waited_s + now - turn.arrived
    if turn.served_s <= QUANTUM or waited > STARVING * turn.served_s:
        return 0
    return math.ceil(math.log2(turn.served_s / QUANTUM))
