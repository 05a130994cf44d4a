"""Agentic sessions: calls of a model with tools between them, each call waiting for the one before.

A session is a closed loop, so its calls have no arrival times yet: a turn says how long after the end of its answer the
next call comes (the tool ran, or the user thought), and the simulation says when that answer ends. `generate` makes the
sessions of an `AgentProfile`; `AgentSession.request` makes the call of a turn once its arrival is known.

A call's prompt is its stream so far (the context, which a prefix cache may hold) and new tokens (what the tool
returned). Most agents have one stream that grows. A team of agents has one a role, and a context at its limit is
compacted: a new stream begins with a summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic.arrivals import arrivals
from evaluators.serving.traffic.lengths import Lengths

_ROLES = 64  # at most, of a profile
_STREAMS = 1 << 20  # at most, of a session


@dataclass(frozen=True, slots=True)
class Tool:
    """A kind of tool call, or the user's turn: log-normal seconds from the end of an answer to the next call.

    Args:
        share: Of the turns that end in it.
        median: Seconds.
        sigma: Standard deviation of the seconds' logarithm.
        longest: Seconds to which longer gaps are cut.
    """

    name: str
    share: float
    median: float
    sigma: float
    longest: float = 3600.0


@dataclass(frozen=True)
class AgentProfile:
    """A kind of agent.

    Args:
        key: Tells the system prompts of two profiles apart; 0 or more.
        turns: Calls a session.
        system_tokens: Of the system prompt and tool descriptions, which all sessions share, one text for each role.
        task: New tokens of a stream's first prompt.
        results: New tokens of its later prompts: what tools return and users say.
        answers: Output tokens of a call.
        tools: Shares add up to 1.
        context_limit: Tokens of prompt and answer at which the stream is compacted.
        summary: New tokens of the first prompt after a compaction.
        roles: Agents of a team, each with a stream of its own.
        stay: Chance that the next call is of the same role; the others are equally likely.
    """

    name: str
    key: int
    turns: Lengths
    system_tokens: int
    task: Lengths
    results: Lengths
    answers: Lengths
    tools: tuple[Tool, ...]
    context_limit: int
    summary: int
    roles: int = 1
    stay: float = 1.0


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """One call of the model and what follows it.

    Args:
        stream: Number within the session of the stream that the call continues.
        context: Tokens of the stream before the call, system prompt included.
        new_tokens: What the call adds to them; the prompt is both.
        output_tokens: Of the answer, which becomes part of the stream.
        tool: Name of the tool that the answer calls; empty after the last turn.
        gap: Seconds from the end of the answer to the next call's arrival; 0 after the last turn.
    """

    stream: int
    context: int
    new_tokens: int
    output_tokens: int
    tool: str
    gap: float

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt."""
        return self.context + self.new_tokens


@dataclass(frozen=True, slots=True)
class AgentSession:
    """A program of calls; `arrival` is that of the first.

    Args:
        system: For each stream the shared system prompt that it begins with.
        tenant: The profile's key.
    """

    id: int
    arrival: float
    tenant: int
    system: tuple[Segment, ...]
    turns: tuple[AgentTurn, ...]

    def request(self, turn: int, arrival: float, id: int) -> Request:
        """The call of a turn, numbered from 0, arriving when the one before is answered and the gap has passed."""
        made = self.turns[turn]
        system = self.system[made.stream]
        own = Segment(self.id * _STREAMS + made.stream, made.prompt_tokens - system.tokens)
        return Request(
            id, arrival, made.prompt_tokens, made.output_tokens, (system, own), self.id, turn, tenant=self.tenant
        )


def generate(
    profile: AgentProfile, rate: float, seed: int, first_id: int = 0, count: int | None = None
) -> Iterator[AgentSession]:
    """Sessions that begin at `rate` a second (Poisson), without end or `count` of them, numbered from `first_id`.

    A session depends on the seed and its place alone, not on the rate.
    """
    clock, contents = np.random.default_rng(seed).spawn(2)
    starts = arrivals(rate, clock)
    for place, start in enumerate(starts if count is None else islice(starts, count)):
        yield _session(profile, first_id + place, start, contents.spawn(1)[0])


def _session(profile: AgentProfile, id: int, arrival: float, rng: np.random.Generator) -> AgentSession:
    count = int(profile.turns.draw(1, rng)[0])
    writer = _Writer(profile, count, rng)
    tools = rng.choice(len(profile.tools), size=count, p=[tool.share for tool in profile.tools]).tolist()
    shocks = rng.standard_normal(count).tolist()
    turns = []
    for place in range(count):
        stream, context, new, output = writer.call(place)
        tool = profile.tools[tools[place]]
        gap = min(tool.median * float(np.exp(tool.sigma * shocks[place])), tool.longest)
        last = place == count - 1
        turns.append(AgentTurn(stream, context, new, output, "" if last else tool.name, 0.0 if last else gap))
    return AgentSession(id, arrival, profile.key, tuple(writer.system), tuple(turns))


class _Writer:
    """The growing streams of a session."""

    def __init__(self, profile: AgentProfile, count: int, rng: np.random.Generator) -> None:
        self._profile = profile
        self._tasks = profile.task.draw(profile.roles, rng).tolist()
        self._results = profile.results.draw(count, rng).tolist()
        self._answers = profile.answers.draw(count, rng).tolist()
        self._roles = _walk(profile, count, rng)
        self._open: dict[int, tuple[int, int]] = {}  # role -> (stream, tokens)
        self.system: list[Segment] = []

    def call(self, place: int) -> tuple[int, int, int, int]:
        """(stream, context, new tokens, output tokens) of the next call."""
        profile, role = self._profile, self._roles[place]
        output = min(self._answers[place], profile.context_limit - profile.system_tokens - 1)
        new = self._results[place]
        if role not in self._open:
            self._begin(role)
            new = self._tasks[role]
        elif self._open[role][1] + new + output > profile.context_limit:
            self._begin(role)
            new += profile.summary
        stream, context = self._open[role]
        new = min(new, profile.context_limit - context - output)
        self._open[role] = (stream, context + new + output)
        return stream, context, new, output

    def _begin(self, role: int) -> None:
        self._open[role] = (len(self.system), self._profile.system_tokens)
        self.system.append(Segment(-1 - self._profile.key * _ROLES - role, self._profile.system_tokens))


def _walk(profile: AgentProfile, count: int, rng: np.random.Generator) -> list[int]:
    """The role of each call."""
    stays = (rng.random(count) < profile.stay).tolist()
    others = rng.integers(1, profile.roles, count).tolist() if profile.roles > 1 else [0] * count
    roles = [0]
    for stay, other in zip(stays[1:], others[1:], strict=True):
        roles.append(roles[-1] if stay else (roles[-1] + other) % profile.roles)
    return roles
