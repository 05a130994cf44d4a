"""Policies behind the wall, whoever wrote them: a fresh jailed process for each run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adrs.evaluation.interface import Interface
from adrs.evaluation.outcome import Limits
from adrs.evaluation.protocol import Policy
from adrs.sandbox import contract
from adrs.sandbox.launcher import ForkServer
from adrs.sandbox.policy import JailedPolicy


class Wall:
    """Where the policies of one interface run, under its problem's limits. One thread uses it."""

    def __init__(self, interface: Interface, limits: Limits) -> None:
        """Raises `HouseError` when nothing can be jailed here, or the interface does not run."""
        self._limits = limits
        self._methods = contract.load(interface)
        self._server = ForkServer(interface, "auto")

    @contextmanager
    def policy(self, source: str) -> Iterator[Policy]:
        """A policy with its module state as it was written. Its calls raise `PolicyFailure`."""
        process, _ = self._server.spawn(self._limits.cpu_seconds, self._limits.memory_mb)
        try:
            policy = JailedPolicy(process, self._methods, self._limits)
            policy.load(source)
            yield policy
        finally:
            process.end()

    def close(self) -> None:
        """End all policy processes."""
        self._server.close()
