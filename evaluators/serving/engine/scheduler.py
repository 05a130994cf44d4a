"""Who decides what an engine does next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from evaluators.serving.engine.step import Step

if TYPE_CHECKING:
    from evaluators.serving.engine.instance import Instance


class Scheduler(Protocol):
    """Decides for one engine."""

    def schedule(self, now: float, instance: Instance) -> Step:
        """What the iteration that starts now does.

        Asked where there is a choice: a sequence waits, is part-way through its prompt or was held, or the KV cache has
        no room for the next token of all.
        """
