"""The reference of the score: round-robin over the instances that serve at the start, and nothing changes."""

from __future__ import annotations

from evaluators.serving.cluster.simulator import Changes, Cluster
from evaluators.serving.request import Request


class RoundRobin:
    """A `Dispatcher`."""

    def __init__(self) -> None:
        self._turn = 0

    def route(self, now: float, request: Request, cluster: Cluster) -> int:
        """Each ready node in turn."""
        ready = [node.id for node in cluster.nodes if node.state == "ready"]
        self._turn += 1
        return ready[(self._turn - 1) % len(ready)]

    def rebalance(self, now: float, cluster: Cluster) -> Changes:
        """Nothing."""
        return Changes()
