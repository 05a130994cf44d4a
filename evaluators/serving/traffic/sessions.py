"""Conversations of several turns: each prompt is the whole conversation so far and something new.

An open loop, as traces of services record it: a turn arrives a gap after the turn before has arrived, whether that one
has been answered or not. The traffic is stationary: conversations that are under way at time 0 began before.

Calibrated with the conversation and synthetic traces of Mooncake (github.com/kvcache-ai/Mooncake, FAST25-release; Qin
et al., "Mooncake: Trading More Storage for Less Computation", FAST 2025).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic.arrivals import arrivals
from evaluators.serving.traffic.lengths import Lengths, Lognormal, Quantiles, endless
from evaluators.serving.traffic.stream import limited

WARM_UP = 1800.0  # seconds before time 0 in which conversations begin


@dataclass(frozen=True)
class SessionProfile:
    """A kind of conversation.

    Args:
        key: Tells the system prompts of two profiles apart; 0 or more.
        single: Share of the conversations that end after the first turn.
        more: Mean number of turns of the others beyond two; geometric.
        systems: (share of the conversations, tokens) of each shared system prompt; at most 64.
        first: New tokens of the first turn, behind the system prompt.
        later: New tokens of a later turn, behind the answer before.
        answers: Output tokens.
        gap: Median seconds between the arrivals of two turns.
        gap_sigma: Standard deviation of their logarithm.
        longest: Prompt and answer together; a conversation that would pass it ends.
    """

    name: str
    key: int
    single: float
    more: float
    systems: tuple[tuple[float, int], ...]
    first: Lengths
    later: Lengths
    answers: Lengths
    gap: float
    gap_sigma: float
    longest: int

    @property
    def turns(self) -> float:
        """Mean number of turns, of conversations that do not reach `longest`."""
        return 1.0 + (1.0 - self.single) * (1.0 + self.more)

    def requests(
        self, rate: float, seed: int, count: int | None = None, seconds: float | None = None
    ) -> Iterator[Request]:
        """Requests at `rate` a second in the long run: `count` of them, those of the first `seconds`, or without end.

        A request's `session` tells its conversation, numbered from 0 in the order of their beginnings.
        """
        clock, contents = np.random.default_rng(seed).spawn(2)
        starts = (start - WARM_UP for start in arrivals(rate / self.turns, clock))
        return limited(_merged(starts, _Writer(self, contents)), count, seconds)


def _merged(starts: Iterator[float], writer: _Writer) -> Iterator[Request]:
    """The turns of all conversations in the order of their arrival, from time 0 on."""
    pending: list[tuple[float, int, int]] = []  # (arrival, session, turn)
    conversations: dict[int, list[Request]] = {}
    id = 0
    for session, start in enumerate(starts):
        while pending and pending[0][0] <= start:
            arrival, which, turn = heapq.heappop(pending)
            request = conversations[which][turn]
            if turn + 1 == len(conversations[which]):
                del conversations[which]
            else:
                heapq.heappush(pending, (conversations[which][turn + 1].arrival, which, turn + 1))
            if arrival >= 0.0:
                yield _numbered(request, id)
                id += 1
        conversations[session] = writer.conversation(session, start)
        heapq.heappush(pending, (start, session, 0))


def _numbered(request: Request, id: int) -> Request:
    return Request(
        id, request.arrival, request.prompt_tokens, request.output_tokens, request.prefix, request.session,
        request.turn, request.tenant,
    )  # fmt: skip


class _Writer:
    def __init__(self, profile: SessionProfile, rng: np.random.Generator) -> None:
        self._profile = profile
        self._rng = rng
        first, later, answers, self._gaps = rng.spawn(4)
        self._first = endless(profile.first, first)
        self._later = endless(profile.later, later)
        self._answers = endless(profile.answers, answers)
        self._shares = np.cumsum([share for share, _ in profile.systems])

    def conversation(self, session: int, arrival: float) -> list[Request]:
        """All turns; their ids are still to come."""
        profile = self._profile
        turns = 1 if self._rng.random() < profile.single else 1 + int(self._rng.geometric(1.0 / (1.0 + profile.more)))
        which = int(np.searchsorted(self._shares, self._rng.random() * self._shares[-1], side="right"))
        system = Segment(-1 - profile.key * 64 - which, profile.systems[which][1])
        made: list[Request] = []
        tokens = next(self._first)
        for turn in range(turns):
            answer = next(self._answers)
            if system.tokens + tokens + answer > profile.longest and turn:
                break
            prefix = (system, Segment(session, tokens))
            made.append(Request(-1, arrival, system.tokens + tokens, answer, prefix, session, turn, profile.key))
            tokens += answer + next(self._later)
            arrival += profile.gap * float(np.exp(profile.gap_sigma * self._gaps.standard_normal()))
        return made


# 3.40 requests/s; 71 % of the conversations have one turn, turns a conversation mean 1.56, p90 3, p99 7; gaps between
# turns p50 123 s, p90 480 s. Prompts: mean 12,035, p50 6,909, p90 27,367, p99 85,400; answers: 343, 350, 597, 1,119.
# All requests share one block of 512 tokens. Of all blocks, 37 % have been seen before.
CONVERSATION = SessionProfile(
    "mooncake-conversation", key=0,
    single=0.71, more=0.93,
    systems=((1.0, 512),),
    first=Quantiles((
        (0.0, 16), (0.1, 800), (0.25, 2000), (0.5, 5600), (0.9, 25_000), (0.99, 84_000), (1.0, 125_000),
    )),
    later=Lognormal(300, 1.3, high=50_000),
    answers=Quantiles(((0.0, 1), (0.05, 20), (0.25, 170), (0.5, 350), (0.9, 597), (0.99, 1119), (1.0, 2000))),
    gap=123.0, gap_sigma=1.06,
    longest=128_000,
)  # fmt: skip
