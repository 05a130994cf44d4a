"""KV is freed at the end of each turn, and turns are served first come, first served: serving without a prefix cache.

What engines did before prefix caching, and the baseline ("vanilla vLLM") of InferCept (Abhyankar et al., ICML 2024),
which calls it discarding: each turn computes its whole context anew.
"""

from interface import Retention


def retain(now, session, engine):
    return Retention(then="discard")


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
