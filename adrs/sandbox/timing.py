"""How long a policy takes, in seconds of the reference's machine: for the problems that say `timed: true`.

The evaluator runs a workload once and its calls are recorded. Then they are played again, without the simulator, by
candidate and reference in turns: each time in a fresh process on the same core, so that both meet the machine in the
same state and nothing is left over from an earlier play. A play must give the recorded answers to the byte. Its time is
CPU time, user and system, of the whole policy process from the end of its loading to its last answer, read from
outside: work that a policy puts off until after an answer is counted, and no helper can do it instead.

The time is the median of the ratios of neighbouring plays. A shared machine changes its pace by 10 to 40 % for seconds
at a time: neighbours share the pace, while the best times of two policies may come from different ones.
`python benchmarks/timing.py` compares the two and shows what noise is left.
"""

from __future__ import annotations

import copy
import hashlib
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from adrs.errors import HouseError, InputError
from adrs.evaluation.outcome import Evaluation
from adrs.evaluation.protocol import Evaluator, Metrics, Reference, TimedEvaluator, Workload, WrongAnswer
from adrs.sandbox.policy import JailedPolicy

PLAYS = 5
FEWEST_PLAYS = 3
LONG_SECONDS = 1.0  # CPU seconds of the candidate's plays after which no further one is needed
STEP = 1.05  # of the grid of times: about what is left of the noise of a call of 10 ms
SHORT_SECONDS = 1e-3  # waking and cold memory blur times below by more than a share of them


@dataclass(frozen=True)
class Play:
    """What came of one policy process. `wall` tells a timeout of the wall-clock backstop."""

    evaluation: Evaluation
    cpu_seconds: float = 0.0
    wall: bool = False


Perform = Callable[[str, Callable[[JailedPolicy], Metrics]], Play]
"""Load a source into a fresh policy process and do something with it."""


class Stopwatch:
    """Times policies against the evaluator's reference."""

    def __init__(self, evaluator: Evaluator, name: str) -> None:
        """`name` is the evaluator's, for messages.

        Raises:
            InputError: the evaluator cannot price time.
            HouseError: its reference is no `Reference` of a positive number of seconds.
        """
        if not isinstance(evaluator, TimedEvaluator):
            raise InputError(
                f"evaluator {name}: `timed: true` needs a `reference` and a method `timed(workload, metrics, seconds)`,"
                " which it lacks; add them (docs/evaluators.md, Timed problems) or say `timed: false`"
            )
        reference = evaluator.reference
        if not isinstance(reference, Reference) or not 0 < reference.seconds < math.inf:
            raise HouseError("evaluator_error", f"evaluator {name}: expected a Reference of more than 0 seconds")
        self._evaluator: TimedEvaluator = evaluator
        self._tape: _Tape | None = None  # of the reference

    def play(self, perform: Perform, source: str, workload: Workload) -> Play:
        """One run and several timed plays of its calls; a failure in any of them is the candidate's end.

        The evaluation's `seconds` are those that `TimedEvaluator.timed` was given.

        Raises:
            HouseError: the reference fails.
        """
        run, tape = self._record(perform, source, workload)
        if run.evaluation.status != "ok":
            return run
        ratios: list[float] = []
        spent = 0.0
        while len(ratios) < FEWEST_PLAYS or (len(ratios) < PLAYS and spent < LONG_SECONDS):
            played = perform(source, tape.replay)
            if played.evaluation.status != "ok":
                return played
            spent += played.cpu_seconds
            ratios.append(played.cpu_seconds / self._reference_seconds(perform))
        seconds = coarse(statistics.median(ratios) * self._evaluator.reference.seconds)
        metrics = self._evaluator.timed(workload, run.evaluation.metrics, seconds)
        return replace(run, evaluation=Evaluation("ok", metrics, seconds=seconds))

    def _record(self, perform: Perform, source: str, workload: Workload) -> tuple[Play, _Tape]:
        tape = _Tape()
        return perform(source, lambda policy: self._evaluator.run(workload, _Recorder(policy, tape))), tape

    def _reference_seconds(self, perform: Perform) -> float:
        reference = self._evaluator.reference
        if self._tape is None:
            run, tape = self._record(perform, reference.source, reference.workload)
            _require_ok(run)
            self._tape = tape
        played = perform(reference.source, self._tape.replay)
        _require_ok(played)
        return played.cpu_seconds


def coarse(seconds: float) -> float:
    """The nearest time on a grid, so that what is left of the noise mostly gives the same number.

    Steps are 5 % of long times, and 50 microseconds near 0.
    """
    return SHORT_SECONDS * (STEP ** steps(seconds) - 1.0)


def steps(seconds: float) -> int:
    """The number of a time on the grid, from 0."""
    return round(math.log1p(max(seconds, 0.0) / SHORT_SECONDS) / math.log(STEP))


def _require_ok(play: Play) -> None:
    if play.evaluation.status != "ok":
        reason = f"{play.evaluation.status}: {play.evaluation.error}"
        raise HouseError("evaluator_error", f"the reference policy of the timed evaluator fails: {reason}")


@dataclass(frozen=True)
class _Call:
    function: str
    arguments: tuple[Any, ...]
    answer: bytes  # digest


@dataclass(frozen=True)
class _Tape:
    """The calls of one run."""

    calls: list[_Call] = field(default_factory=list)

    def replay(self, policy: JailedPolicy) -> Metrics:
        """Raises `WrongAnswer` when an answer is not the recorded one."""
        for number, call in enumerate(self.calls, 1):
            policy.call(call.function, *call.arguments)
            if _digest(policy) != call.answer:
                raise WrongAnswer(
                    f"{call.function}: call {number} was answered otherwise when it was repeated; a timed problem "
                    "plays each workload several times, and every play must give the same answers (no clock in them)"
                )
        return {}


class _Recorder:
    """A policy whose calls go onto a tape."""

    def __init__(self, policy: JailedPolicy, tape: _Tape) -> None:
        self._policy = policy
        self._tape = tape

    @property
    def seconds(self) -> float:
        return self._policy.seconds

    def call(self, function: str, *arguments: Any) -> Any:
        kept = copy.deepcopy(arguments)  # the simulator may change them later
        answer = self._policy.call(function, *arguments)
        self._tape.calls.append(_Call(function, kept, _digest(self._policy)))
        return answer


def _digest(policy: JailedPolicy) -> bytes:
    return hashlib.blake2b(policy.last_answer, digest_size=16).digest()
