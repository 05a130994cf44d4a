# expect: ok

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    """Everybody moves on, for ever."""
    ready = [each.id for each in instances if each.state == "ready"]
    movable = [each for each in residents if each.state in ("waiting", "decode")]
    return Plan(migrations=[Migration(each.id, ready[(each.instance + 1) % len(ready)]) for each in movable])
