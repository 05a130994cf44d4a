"""A session as it is being served: a job that is complete when its last turn is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.request import Request
from evaluators.serving.traffic.agents import AgentSession

NOT_YET = float("nan")


@dataclass(eq=False, slots=True)
class Job:
    """A session and what has happened to it.

    Attributes:
        turns: Answered so far.
        served: Seconds from the admission to the last token, summed over these.
        waited: Seconds from the arrival to the admission, likewise.
        finished: When its last turn was answered.
        streams: Keys of the conversations that its answered turns belong to.
    """

    session: AgentSession
    turns: int = 0
    served: float = 0.0
    waited: float = 0.0
    finished: float = NOT_YET
    streams: set[int] = field(default_factory=set)

    @property
    def id(self) -> int:
        return self.session.id

    @property
    def done(self) -> bool:
        return self.turns == len(self.session.turns)

    @property
    def tool(self) -> str:
        """That the latest answer calls."""
        return self.session.turns[self.turns - 1].tool

    @property
    def tools(self) -> list[str]:
        """Called in the turns before the latest answered one."""
        return [turn.tool for turn in self.session.turns[: self.turns - 1]]

    @property
    def gaps(self) -> list[float]:
        """Seconds that these took."""
        return [turn.gap for turn in self.session.turns[: self.turns - 1]]

    def request(self, arrival: float, id: int) -> Request:
        """The call of the next turn."""
        return self.session.request(self.turns, arrival, id)

    def answered(self, sequence: Sequence, now: float) -> None:
        """The turn has made its last token."""
        self.turns += 1
        self.streams.add(sequence.request.prefix[-1].key)
        self.served += now - sequence.admitted_at
        self.waited += sequence.admitted_at - sequence.request.arrival
        if self.done:
            self.finished = now
