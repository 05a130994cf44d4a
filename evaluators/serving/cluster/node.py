"""An instance of the cluster: its engine, whether it serves, and what it has cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from evaluators.serving.cluster.seats import KeepingSeats
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence

State = Literal["ready", "starting", "draining", "stopped"]


@dataclass(slots=True, eq=False)
class Node:
    """An engine that can be started and stopped.

    Attributes:
        engine: It serves while the node is ready or draining, as `scheduler` says.
        seconds: In which the node was not stopped, up to `since`.
        since: When it last left or entered the state "stopped".
        touched: When it was last told to stop, or sent or received a request by migration.
        sending: A request is being copied from here; `receiving`: to here.
        landed: Requests that have arrived by migration and run from the engine's next iteration on.
    """

    id: int
    engine: Instance
    scheduler: KeepingSeats
    state: State
    seconds: float = 0.0
    since: float = 0.0
    touched: float = 0.0
    sending: bool = False
    receiving: bool = False
    landed: list[Sequence] = field(default_factory=list)

    def start(self, now: float) -> bool:
        """Take it into service again; whether it has to load first."""
        if self.state == "draining":
            self.state = "ready"
            return False
        self.state, self.since = "starting", now
        return True

    def drain(self, now: float) -> None:
        """It gets nothing more to do, and stops once it has nothing left."""
        self.state, self.touched = "draining", now

    @property
    def has_seat(self) -> bool:
        """Whether one more sequence may run."""
        return len(self.engine.running) + len(self.landed) < self.engine.deployment.max_sequences

    def advance(self, now: float) -> None:
        """Live until `now`."""
        self.engine.advance(now)
        if self.landed:
            self.landed = [sequence for sequence in self.landed if self._is_new(sequence)]
        if self.state == "draining" and self.engine.idle and not (self.sending or self.receiving):
            self._stop(max(self.engine.clock, self.touched))

    def seconds_until(self, end: float) -> float:
        """In which the node was not stopped, until `end`."""
        return self.seconds if self.state == "stopped" else self.seconds + end - self.since

    def _is_new(self, sequence: Sequence) -> bool:
        """Whether the engine has not begun an iteration since it arrived."""
        known = sequence.id in self.engine.running or sequence.id in self.engine.waiting
        return not known and sequence.generated < sequence.request.output_tokens

    def _stop(self, now: float) -> None:
        self.state = "stopped"
        self.seconds += now - self.since
        self.since = now
