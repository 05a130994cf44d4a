"""INFaaS++: load-aware dispatching and auto-scaling by GPU memory (Llumnix, OSDI 2024, section 6.1).

The scheduler of INFaaS (Romero et al., USENIX ATC 2021), as the Llumnix paper optimises it for language models: a
request goes to the instance with the least load, which is the memory that its requests hold and that its queue demands;
instances are started and stopped by the mean load. There is no migration. The thresholds of scaling are chosen on the
train workloads.
"""

from interface import Plan

SCALE_UP = 0.4
SCALE_DOWN = 0.01


def load(instance):
    return (instance.blocks - instance.free_blocks + instance.waiting_blocks) / instance.blocks


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    return min(ready, key=load).id


def rebalance(now, instances, residents):
    ready = [instance for instance in instances if instance.state == "ready"]
    starting = [instance for instance in instances if instance.state == "starting"]
    stopped = [instance for instance in instances if instance.state in ("stopped", "draining")]
    mean = sum(map(load, ready)) / (len(ready) + len(starting))
    if mean > SCALE_UP and stopped:
        return Plan(start=[stopped[0].id])
    if mean < SCALE_DOWN and len(ready) > 1:
        return Plan(stop=[min(ready, key=lambda instance: instance.running).id])
    return Plan()
