"""What vLLM does: cached KV is evicted least recently used first, and turns are served first come, first served.

Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023), with
vLLM's automatic prefix caching. It knows nothing of sessions or tools.
"""

from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
