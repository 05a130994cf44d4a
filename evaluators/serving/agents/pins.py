"""Pins on sessions' KV: until when they last, and which of them gives way first."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.serving.agents.job import Job
from evaluators.serving.engine.cache import PrefixCache

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Kept:
    """KV of a session that waits for a tool.

    Args:
        key: The stream that its last turn belongs to.
        tokens: Of that conversation.
        then: What becomes of the KV when no pin keeps it; see `interface.Retention`.
    """

    job: Job
    key: int
    tokens: int
    then: str


@dataclass(eq=False, slots=True)
class Pin:
    """A pin.

    Args:
        until: When it ends, in seconds; while the session's next turn waits it does not.
        blocks: That it keeps, shared system prompts aside.
    """

    kept: Kept
    until: float
    blocks: int
    turn_waits: bool = False


class Pins:
    """At most one a session.

    Attributes:
        blocks: That all of them keep.
        yielded: Pins that had to give way.
    """

    def __init__(self, cache: PrefixCache) -> None:
        self._cache = cache
        self._by_job: dict[int, Pin] = {}
        self.blocks = self.yielded = 0
        self._block_seconds = 0.0
        self._clock = 0.0

    def __contains__(self, job: int) -> bool:
        return job in self._by_job

    def keep(self, kept: Kept, now: float, until: float) -> Pin:
        """Pin what is cached of a session's stream now. Replaces the session's pin."""
        self.end(kept.job.id, now)
        self._pass(now)
        self._cache.pin(kept.key)
        pin = self._by_job[kept.job.id] = Pin(kept, until, self._cache.cached(kept.key))
        self.blocks += pin.blocks
        return pin

    @property
    def for_tools(self) -> bool:
        """Whether one of them is for a session whose next turn is still to come."""
        return any(not pin.turn_waits for pin in self._by_job.values())

    def holds(self, pin: Pin) -> bool:
        """Whether this very pin is still there."""
        return self._by_job.get(pin.kept.job.id) is pin

    def prolong(self, job: int) -> None:
        """The session's next turn has come: its pin, if there is one, lasts until that runs."""
        pin = self._by_job.get(job)
        if pin is not None:
            pin.until, pin.turn_waits = NEVER, True

    def end(self, job: int, now: float) -> None:
        """End a session's pin, if there is one."""
        pin = self._by_job.pop(job, None)
        if pin is not None:
            self._pass(now)
            self.blocks -= pin.blocks
            self._cache.unpin(pin.kept.key)

    def give_way(self, now: float, last: int | None = None) -> bool:
        """End the pin of the session that started last, that of session `last` after all others.

        Returns whether there was one. The order is that of Continuum (arXiv 2511.02230): programs that began first
        are completed first.
        """
        if not self._by_job:
            return False
        self.yielded += 1
        self.end(max(self._by_job, key=lambda job: (job != last, job)), now)
        return True

    def block_seconds(self, now: float) -> float:
        """Pinned blocks integrated over the time."""
        self._pass(now)
        return self._block_seconds

    def _pass(self, now: float) -> None:
        self._block_seconds += self.blocks * (now - self._clock)
        self._clock = now
