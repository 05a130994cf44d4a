"""Llumnix (Sun et al., OSDI 2024): scheduling by virtual usage and freeness, with live migration.

Section 4.4: an instance's freeness is (M - sum of virtual usages) / B, its memory less what its requests use, over its
batch size: for how many iterations it can go on. A request's virtual usage (Algorithm 1) is its memory; of the first in
line, what it demands, so that an instance with a blocked request appears full and requests move away from it
(de-fragmentation); of a high-priority request its memory and a share of a headroom, which leaves the instance at most a
target load of other requests; and infinite for a fake request on an instance that is to stop, which empties it.

A new request goes to the freest instance, all of the queue counted. Periodically the least free of the instances below
a threshold are paired with the freest of those above it, and each pair migrates a request: of the lowest priority, and
of these the shortest. Instances are started and stopped when the mean freeness leaves a range; the one with the fewest
requests stops. Freeness is in blocks per request, and the threshold of migration 3, as in the paper's artifact. The
range of scaling (10 to 60 there) and the target load (1,600 tokens there) are chosen on the train workloads.
"""

from interface import Migration, Plan

NEVER = float("inf")

MIGRATE = 3.0
SCALE_UP = 30.0
SCALE_DOWN = 3000.0
TARGET_BLOCKS = 800  # 12,800 tokens


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    return max(ready, key=dispatch_freeness).id


def rebalance(now, instances, residents):
    serving = [instance for instance in instances if instance.state in ("ready", "draining")]
    plan = scaled(instances)
    leaving = {instance.id for instance in serving if instance.state == "draining"} | set(plan.stop)
    free = {instance.id: -NEVER if instance.id in leaving else migration_freeness(instance) for instance in serving}
    order = sorted(free, key=free.get)
    sources = [instance for instance in order if free[instance] < MIGRATE]
    targets = [instance for instance in reversed(order) if free[instance] > MIGRATE]
    for source, target in zip(sources, targets, strict=False):
        plan.migrations += leave(source, target, residents, everyone=source in leaving)
    return plan


def dispatch_freeness(instance):
    """With the demand of all that wait."""
    requests = instance.running + instance.waiting
    free = instance.free_blocks - instance.waiting_blocks - headroom(instance)
    return freeness(free, requests)


def migration_freeness(instance):
    """With the demand of the first that waits."""
    batch = instance.running + (instance.waiting > 0)
    free = instance.free_blocks - instance.first_waiting_blocks - headroom(instance)
    return freeness(free, batch)


def freeness(free, batch):
    return free / batch if batch else NEVER


def headroom(instance):
    return instance.blocks - TARGET_BLOCKS if instance.high_priority else 0


def leave(source, target, residents, everyone):
    """Migrations from an instance: of one request, or of everyone."""
    movable = [each for each in residents if each.instance == source and each.state == "decode"]
    if everyone:
        movable += [each for each in residents if each.instance == source and each.state == "waiting"]
    movable.sort(key=lambda each: (each.priority, each.tokens))
    return [Migration(each.id, target) for each in (movable if everyone else movable[:1])]


def scaled(instances):
    """Starts and stops by the mean freeness, over the memory and the requests of all instances."""
    ready = [instance for instance in instances if instance.state == "ready"]
    starting = [instance for instance in instances if instance.state == "starting"]
    stopped = [instance for instance in instances if instance.state in ("stopped", "draining")]
    requests = sum(instance.running + instance.waiting for instance in ready)
    free = sum(instance.free_blocks - instance.waiting_blocks for instance in ready)
    coming = sum(instance.blocks for instance in starting)
    if freeness(free + coming, requests) < SCALE_UP and stopped:
        return Plan(start=[stopped[0].id])
    if len(ready) > 1 and freeness(free - ready[0].blocks, requests) > SCALE_DOWN:
        return Plan(stop=[min(ready, key=lambda instance: instance.running).id])
    return Plan()
