"""Cache-aware routing as the SGLang router does it (Shepherd Model Gateway, "Cache-Aware Routing").

Where the cluster is out of balance (the longest and the shortest queue of requests differ by more than 64, and by more
than half of the shortest), the shortest queue. Else the instance that has the longest prefix of the prompt, if that is
more than 30 % of it; else the one whose cache holds least, so that it can keep the new prefix. The router mirrors the
caches in radix trees of what it has sent; here it is told what they hold.
"""

from interface import Plan

CACHE_THRESHOLD = 0.3
BALANCE_ABS_THRESHOLD = 64
BALANCE_REL_THRESHOLD = 1.5


def queue(instance):
    return instance.running + instance.waiting


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    shortest, longest = min(ready, key=queue), max(ready, key=queue)
    apart = queue(longest) - queue(shortest)
    if apart > BALANCE_ABS_THRESHOLD and queue(longest) > BALANCE_REL_THRESHOLD * queue(shortest):
        return shortest.id
    best = max(ready, key=lambda instance: instance.cached_tokens)
    if best.cached_tokens > CACHE_THRESHOLD * request.prompt_tokens:
        return best.id
    return max(ready, key=lambda instance: instance.free_blocks - instance.waiting_blocks).id


def rebalance(now, instances, residents):
    return Plan()
