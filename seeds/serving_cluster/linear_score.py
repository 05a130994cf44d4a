"""A linear score of an instance's load; new requests go where it is least, and a few move from the most loaded.

The constants are guesses.
"""

from interface import Migration, Plan

RUNNING = 1.0
WAITING = 3.0
PREFILL = 0.002  # of a prompt token that is still to be computed
MEMORY = 20.0  # of all KV memory in use
CACHED = 0.002  # of a prompt token that is in the prefix cache
GAP = 25.0  # between the scores of two instances, from which on a request moves
STOP_BELOW = 4.0  # mean score
START_ABOVE = 30.0


def load(instance):
    used = instance.blocks - instance.free_blocks + instance.waiting_blocks
    return (
        RUNNING * instance.running
        + WAITING * instance.waiting
        + PREFILL * instance.prefill_tokens
        + MEMORY * used / instance.blocks
    )


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    return min(ready, key=lambda instance: load(instance) - CACHED * instance.cached_tokens).id


def rebalance(now, instances, residents):
    ready = sorted((instance for instance in instances if instance.state == "ready"), key=load)
    plan = Plan(migrations=balance(ready[0], ready[-1], residents))
    mean = sum(load(instance) for instance in ready) / len(ready)
    stopped = [instance.id for instance in instances if instance.state == "stopped"]
    starting = [instance.id for instance in instances if instance.state == "starting"]
    if mean > START_ABOVE and stopped and not starting:
        plan.start = stopped[:1]
    elif mean < STOP_BELOW and len(ready) > 1 and not plan.migrations:
        plan.stop = [ready[0].id]
    return plan


def balance(least, most, residents):
    """At most one request from the most loaded instance to the least loaded."""
    if load(most) - load(least) < GAP:
        return []
    movable = [each for each in residents if each.instance == most.id and each.state in ("waiting", "decode")]
    if not movable:
        return []
    chosen = min(movable, key=lambda each: each.tokens)
    return [Migration(chosen.id, least.id)]
