# expect: wrong

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


gone = {}


def rebalance(now, instances, residents):
    """A request that was there and has ended."""
    here = {each.id for each in residents}
    finished = [each for each in gone if each not in here]
    gone.update(dict.fromkeys(here))
    return Plan(migrations=[Migration(finished[0], 1)] if finished else [])
