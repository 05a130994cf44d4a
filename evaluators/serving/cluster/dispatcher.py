"""Decisions of a policy across the wall, checked."""

from __future__ import annotations

from collections.abc import Sequence

from adrs.evaluation.protocol import Policy
from evaluators.serving.cluster import interface
from evaluators.serving.cluster.migrator import Move
from evaluators.serving.cluster.node import State
from evaluators.serving.cluster.simulator import Changes, Cluster
from evaluators.serving.cluster.views import instance_views, request_view, resident_views
from evaluators.serving.engine.step import Refused
from evaluators.serving.request import Request


class PolicyDispatcher:
    """Asks a policy. Whatever it answers is refused with a reason, or possible."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def route(self, now: float, request: Request, cluster: Cluster) -> int:
        """See `Dispatcher`."""
        instances = instance_views(cluster, request)
        answer: int = self._policy.call("route", now, request_view(request), instances)
        if not 0 <= answer < len(instances):
            raise Refused(f"route: there is no instance {answer}; their ids are 0 to {len(instances) - 1}")
        if instances[answer].state != "ready":
            raise Refused(f"route: instance {answer} is {instances[answer].state}; choose one that is ready")
        return answer

    def rebalance(self, now: float, cluster: Cluster) -> Changes:
        """See `Dispatcher`."""
        instances, residents = instance_views(cluster), resident_views(cluster)
        plan: interface.Plan = self._policy.call("rebalance", now, instances, residents)
        states = _states_after(plan, instances)
        return Changes(_moves(plan.migrations, residents, states), plan.start, plan.stop)


def _states_after(plan: interface.Plan, instances: Sequence[interface.Instance]) -> list[State | str]:
    """The instances' states once the plan's starts and stops are done."""
    states = [instance.state for instance in instances]
    for verb, ids, allowed, after in (
        ("start", plan.start, ("stopped", "draining"), {"stopped": "starting", "draining": "ready"}),
        ("stop", plan.stop, ("ready",), {"ready": "draining"}),
    ):
        for identity in ids:
            if not 0 <= identity < len(states):
                raise Refused(f"{verb}: there is no instance {identity}; their ids are 0 to {len(states) - 1}")
            if instances[identity].state not in allowed or states[identity] != instances[identity].state:
                raise Refused(f"{verb}: instance {identity} is {states[identity]}; choose {' or '.join(allowed)} ones")
            states[identity] = after[states[identity]]
    if "ready" not in states:
        raise Refused("stop: no instance would be ready; leave one")
    return states


def _moves(
    migrations: Sequence[interface.Migration], residents: Sequence[interface.Resident], states: Sequence[str]
) -> list[Move]:
    at = {resident.id: resident for resident in residents}
    moves = []
    for request, target in ((each.request, each.target) for each in migrations):
        resident = at.pop(request, None)
        if resident is None:
            raise Refused(f"migration of request {request}: no such request is at an instance, or it is named twice")
        if resident.state not in ("waiting", "decode"):
            raise Refused(f"migration of request {request}: its state is {resident.state}, not waiting or decode")
        if not 0 <= target < len(states) or states[target] != "ready":
            raise Refused(f"migration of request {request}: its target {target} is not an instance that stays ready")
        if target == resident.instance:
            raise Refused(f"migration of request {request}: it is at instance {target} already")
        moves.append(Move(request, resident.instance, target))
    return moves
