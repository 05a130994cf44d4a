"""A policy behind the wall as the simulation asks it: what it is shown, and what of its answers is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Listed

from adrs.evaluation.protocol import Policy, WrongAnswer
from evaluators.serving.agents.interface import Engine, Retention, Session, Turn
from evaluators.serving.agents.job import Job
from evaluators.serving.agents.recompute import Recompute
from evaluators.serving.agents.simulation import AgentServing
from evaluators.serving.engine.sequence import Sequence

OUTCOMES = ("lru", "discard", "swap")


class Asking:
    """Asks a policy across the wall. Raises WrongAnswer for answers that break the rules."""

    def __init__(self, policy: Policy, recompute: Recompute) -> None:
        self._policy, self._recompute = policy, recompute

    def retain(self, now: float, job: Job, sequence: Sequence, serving: AgentServing) -> Retention:
        """See `simulation.Keeper`."""
        blocks = serving.cache.cached(sequence.request.prefix[-1].key)
        tokens = sequence.request.prompt_tokens + sequence.request.output_tokens
        session = Session(
            job.id, job.session.arrival, job.turns, tokens, blocks, job.tool, job.tools, job.gaps, job.served,
            job.waited, self._recompute.prefill(tokens), serving.host.seconds(blocks),
        )  # fmt: skip
        answer: Retention = self._policy.call("retain", now, session, engine_of(serving))
        if not answer.pin_s >= 0.0:
            raise WrongAnswer(
                f"retain: pin_s of session {job.id} is {answer.pin_s}; expected seconds, 0 or more or infinity"
            )
        if answer.then not in OUTCOMES:
            raise WrongAnswer(
                f"retain: `then` of session {job.id} is {answer.then!r:.40}; expected one of {', '.join(OUTCOMES)}"
            )
        return answer

    def order(self, now: float, waiting: Listed[Sequence], serving: AgentServing) -> Listed[int]:
        """See `simulation.Keeper`."""
        turns = [turn_of(sequence, serving) for sequence in waiting]
        answer: list[int] = self._policy.call("order", now, turns, engine_of(serving))
        ids = {sequence.id for sequence in waiting}
        if len(answer) != len(ids) or set(answer) != ids:
            raise WrongAnswer(f"order: {_difference(answer, ids)}; each waiting turn must be named once")
        return answer


def engine_of(serving: AgentServing) -> Engine:
    """The instance as a policy sees it, which learns only once that a session has ended."""
    ended = [job.turns for job in serving.ended]
    serving.ended.clear()
    instance, pinned = serving.instance, serving.pins.blocks
    return Engine(
        instance.kv.total, instance.kv.in_use - pinned, pinned, len(instance.running), len(instance.waiting),
        serving.open_jobs, serving.host.free, ended,
    )  # fmt: skip


def turn_of(sequence: Sequence, serving: AgentServing) -> Turn:
    """A waiting turn as a policy sees it."""
    request, job = sequence.request, serving.jobs[sequence.request.session]
    cached = serving.instance.kv.match(sequence)
    return Turn(
        sequence.id, job.id, request.arrival, job.session.arrival, request.turn, request.prompt_tokens, cached,
        max(cached, serving.host.tokens(request.prefix)), job.id in serving.pins, sequence.preemptions > 0, job.served,
        job.waited,
    )  # fmt: skip


def _difference(answer: list[int], ids: set[int]) -> str:
    unknown = next((each for each in answer if each not in ids), None)
    if unknown is not None:
        return f"turn {unknown} does not wait"
    twice = next((each for each, times in Counter(answer).items() if times > 1), None)
    if twice is not None:
        return f"turn {twice} is named more than once"
    return f"{len(ids - set(answer))} of {len(ids)} waiting turns are missing, turn {min(ids - set(answer))} among them"
