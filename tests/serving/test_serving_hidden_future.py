"""Policies cannot see the future: nothing that is handed to them depends on it.

Two streams that differ only in what has not happened yet (how long an answer will be, who arrives later, how long a
tool will take, whether another turn comes) are played with the same policy. Until the difference shows, every argument
of every call must be the same, to the last bit. Besides, all that is handed over is searched for those lengths.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adrs.evaluation.protocol import Workload
from adrs.testing.direct import DirectPolicy
from evaluators.serving.agents import ServingAgents
from evaluators.serving.batching import ServingBatching
from evaluators.serving.cluster import ServingCluster
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.sequence import Sequence as Served
from evaluators.serving.moe_prefill import ServingMoePrefill
from evaluators.serving.request import Request
from evaluators.serving.traffic.agents import AgentSession

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
Place = tuple[int, int, int]  # session, turn and id of a request


def array(value: object) -> list[Any]:
    """The one type that is not plain and may be handed over."""
    assert isinstance(value, np.ndarray) and value.dtype.kind in "bif", f"{type(value)} was handed over"
    return [str(value.dtype), value.tolist()]


def numbers(value: object) -> Iterator[float]:
    """All that are in lists of lists."""
    if isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int | float):
        yield value


@dataclass
class Watched:
    """A policy that keeps all that it is shown, and when."""

    policy: DirectPolicy
    calls: list[tuple[float, str, bytes]] = field(default_factory=list)
    seconds: float = 0.0

    def call(self, function: str, *arguments: Any) -> Any:
        self.calls.append((arguments[0], function, msgspec.msgpack.encode(arguments, enc_hook=array)))
        return self.policy.call(function, *arguments)

    def until(self, time: float) -> list[tuple[float, str, bytes]]:
        """All that was shown before a time."""
        return [each for each in self.calls if each[0] < time]


@dataclass(frozen=True)
class Problem:
    """One of the serving problems, on a short stream.

    Args:
        regime: Of train; `changes` to its parameters make it short.
        seed: A published policy that uses much of what there is.
    """

    evaluator: Callable[[], Any]
    package: str
    regime: str
    changes: dict[str, int]
    seed: str

    def play(self, case: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Watched, dict[Place, float]]:
        """What the policy saw, and when each request ended."""
        ends: dict[Place, float] = {}
        finish = Recorder.finish

        def note(recorder: Recorder, sequence: Served, now: float) -> None:
            request = sequence.request
            ends[request.session, request.turn, request.id if request.session < 0 else -1] = now
            finish(recorder, sequence, now)

        monkeypatch.setattr(Recorder, "finish", note)
        monkeypatch.setitem(sys.modules, "interface", import_module(f"evaluators.serving.{self.package}.interface"))
        watched = Watched(DirectPolicy.from_source((SEEDS / self.seed).read_text()))
        evaluator, workload = self.evaluator(), self.workload
        evaluator._cases[workload.hash] = case
        evaluator.run(workload, watched)
        monkeypatch.undo()
        return watched, ends

    @property
    def workload(self) -> Workload:
        first = next(each for each in self.evaluator().workloads("train", 0) if each.regime == self.regime)
        return replace(first, parameters={**first.parameters, **self.changes})

    def case(self) -> Any:
        return self.evaluator()._case(self.workload)


BATCHING = Problem(ServingBatching, "batching", "conversation-8b-h100", {"requests": 60}, "serving_batching/vllm_v1.py")
TURNS = Problem(ServingBatching, "batching", "turns-8b-a100", {"requests": 40}, "serving_batching/sarathi_serve.py")
MOE = Problem(ServingMoePrefill, "moe_prefill", "qwen-h100-chat", {"requests": 40}, "serving_moe_prefill/layered.py")
CLUSTER = Problem(ServingCluster, "cluster", "documents-4xA100", {"requests": 60}, "serving_cluster/llumnix.py")
AGENTS = Problem(
    ServingAgents, "agents", "mini-swe-8b-h100", {"sessions": 8, "host_blocks": 16_000}, "agent_serving/infercept.py"
)


def place(request: Request) -> Place:
    return request.session, request.turn, request.id if request.session < 0 else -1


# Streams of requests


def with_request(case: Any, index: int, **changes: Any) -> Any:
    requests = list(case.requests)
    requests[index] = replace(requests[index], **changes)
    return replace(case, requests=requests)


def with_others_later(case: Any, first: int) -> Any:
    """From a request on, others come: later, with other prompts and answers, and half as many."""
    requests = list(case.requests)
    kept, others = requests[:first], requests[first : first + (len(requests) - first) // 2]
    changed = [
        replace(each, arrival=each.arrival + 1.5, prompt_tokens=each.prompt_tokens // 2 + 1, output_tokens=33)
        for each in others
    ]
    weights = {"weights": case.weights[: len(kept) + len(changed)]} if hasattr(case, "weights") else {}
    return replace(case, requests=[*kept, *changed], **weights)


@pytest.mark.parametrize("problem", [BATCHING, TURNS, MOE, CLUSTER], ids=lambda problem: problem.regime)
def test_lengths_of_answers_and_later_arrivals_are_hidden(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem.case()
    before, ends = problem.play(case, monkeypatch)
    last = len(case.requests) - 1
    for index in (0, last // 3, last):
        request = case.requests[index]
        longer = with_request(case, index, output_tokens=request.output_tokens + 77)
        seen, later_ends = problem.play(longer, monkeypatch)
        end = ends[place(request)]
        assert later_ends[place(request)] > end
        assert before.until(end) == seen.until(end) != []
        assert index or before.calls != seen.calls
    for first in (1, last // 2):
        seen, _ = problem.play(with_others_later(case, first), monkeypatch)
        arrival = case.requests[first].arrival
        assert before.until(arrival) == seen.until(arrival)
        assert before.calls != seen.calls


# Sessions of agents


def with_turn(session: AgentSession, number: int, longer: int = 0, gap: float = 0.0) -> AgentSession:
    """A turn whose answer, and all later context of its stream, is longer, and whose tool takes longer."""
    turns = list(session.turns)
    stream = turns[number].stream
    turns[number] = replace(
        turns[number], output_tokens=turns[number].output_tokens + longer, gap=turns[number].gap + gap
    )
    for later in range(number + 1, len(turns)):
        if turns[later].stream == stream:
            turns[later] = replace(turns[later], context=turns[later].context + longer)
    return replace(session, turns=tuple(turns))


def ending_with(session: AgentSession, number: int) -> AgentSession:
    last = replace(session.turns[number], tool="", gap=0.0)
    return replace(session, turns=(*session.turns[:number], last))


def test_agents_turns_and_tools_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    case = AGENTS.case()
    before, ends = AGENTS.play(case, monkeypatch)

    def compare(changed: AgentSession, until: float) -> None:
        sessions = [changed if each.id == changed.id else each for each in case.sessions]
        seen, _ = AGENTS.play(replace(case, sessions=sessions), monkeypatch)
        assert before.until(until) == seen.until(until) != []
        assert before.calls != seen.calls

    for session in (case.sessions[0], case.sessions[len(case.sessions) // 2]):
        number = len(session.turns) // 2
        end, gap = ends[session.id, number, -1], session.turns[number].gap
        compare(with_turn(session, number, longer=77), end)
        compare(with_turn(session, number, gap=7.7), end + gap)
        compare(ending_with(session, number), end)
    later = case.sessions[-1]
    compare(replace(later, arrival=later.arrival + 7.7), later.arrival)


# A search for the lengths themselves

LENGTH = 4001  # prime, and no other number in these streams by chance


@pytest.mark.parametrize("problem", [BATCHING, TURNS, MOE, CLUSTER, AGENTS], ids=lambda problem: problem.regime)
def test_no_number_tells_how_long_an_answer_will_be(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor how many tokens it will be with its prompt, in the first half of the time: no count has come as far yet."""
    case = problem.case()
    long, prompts, places = (long_turns if problem is AGENTS else long_answers)(case)
    watched, ends = problem.play(long, monkeypatch)
    telling = {n for prompt in [0, *prompts] for n in (prompt + LENGTH, prompt + LENGTH - 1)}
    calls = watched.until(min(ends[place] for place in places) / 2)
    shown = [number for _, _, arguments in calls for number in numbers(msgspec.msgpack.decode(arguments))]
    assert len(shown) > 100
    assert not telling & set(shown)


def long_answers(case: Any) -> tuple[Any, list[int], list[Place]]:
    """A stream's first requests with answers of that length; with their prompts."""
    requests = [
        replace(each, prompt_tokens=each.prompt_tokens % 997 + 1, output_tokens=LENGTH, prefix=())
        for each in case.requests[:12]
    ]
    more = {"weights": case.weights[:12], "latest": float("inf")} if hasattr(case, "weights") else {}
    return (
        replace(case, requests=requests, **more),
        [each.prompt_tokens for each in requests],
        list(map(place, requests)),
    )


def long_turns(case: Any) -> tuple[Any, list[int], list[Place]]:
    """Sessions whose second answers are of that length."""
    long = [with_turn(each, 1, LENGTH - each.turns[1].output_tokens) for each in case.sessions]
    cut = [replace(each, turns=each.turns[:3]) for each in long]
    return (
        replace(case, sessions=cut),
        [each.turns[1].prompt_tokens for each in cut],
        [(each.id, 1, -1) for each in cut],
    )
