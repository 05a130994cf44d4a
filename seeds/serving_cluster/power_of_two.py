"""Power of two choices (Mitzenmacher, IEEE TPDS 12(10), 2001): of two instances drawn at random the less loaded one.

Load is the number of requests, running and waiting.
"""

import random

from interface import Plan

rng = random.Random(0)


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    pair = rng.sample(ready, min(2, len(ready)))
    return min(pair, key=lambda instance: instance.running + instance.waiting).id


def rebalance(now, instances, residents):
    return Plan()
