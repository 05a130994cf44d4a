"""The same admissions in the simulator and on PostgreSQL, twice over, and how far they agree.

Every session calibrates each setting and then measures every contender in it `repeats` times; within a repetition the
contenders of a setting follow each other in an order drawn anew, so that a machine that slows down or speeds up favours
nobody. The simulator is given the mean of the calibrations, and nothing of what was measured under contention.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np

from evaluators.transactions.admission.evaluator import RULES as STRICT
from evaluators.transactions.locking import Choose, Rules, by_rank, simulate
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.postgres.calibration import Calibration, calibrate, mean_of
from evaluators.transactions.postgres.database import Database
from evaluators.transactions.postgres.execution import Pace, execute
from evaluators.transactions.transaction import Transaction

SESSIONS = 2  # the second shows how well PostgreSQL agrees with itself

Admission = Callable[[], AbstractContextManager[Choose]]  # a new one for each run: policies keep state


@dataclass(frozen=True)
class Setting:
    """A workload with what runs it; `arrivals` and `backoff` in units of one operation, `window` as in `simulate`."""

    name: str
    transactions: Sequence[Transaction]
    arrivals: Floats
    executors: int
    contenders: Mapping[str, Admission]
    backoff: float = 0.0
    window: int | None = None


@dataclass(frozen=True)
class Figures:
    """One run: commits a second, root mean square of the latencies in seconds, aborts."""

    throughput: float
    latency: float
    aborts: float


@dataclass(frozen=True)
class Cell:
    """A contender in a setting; `sessions` holds its measured runs, [SESSIONS][repeats].

    `simulated` is under PostgreSQL's rules, `strict` under the strict two-phase locking of the admission problem.
    """

    contender: str
    simulated: Figures
    strict: Figures
    sessions: Sequence[Sequence[Figures]]

    @property
    def runs(self) -> list[Figures]:
        return [run for session in self.sessions for run in session]


@dataclass(frozen=True)
class Result:
    setting: Setting
    calibration: Calibration
    cells: Sequence[Cell]


def fixed(order: Sequence[int]) -> Admission:
    """Admission in a given order, which needs nobody to be asked."""

    @contextmanager
    def admission() -> Iterator[Choose]:
        yield by_rank(order)

    return admission


def compare(
    database: Database,
    settings: Sequence[Setting],
    think: float,
    repeats: int,
    seed: int,
    progress: Callable[[str], None],
) -> list[Result]:
    """Simulate and measure every contender of every setting.

    Args:
        think: Seconds that a client thinks after each operation.
        repeats: Measured runs of each contender in each session, at least 1.
        seed: Of the orders in which contenders follow each other.
        progress: Told what is measured next.

    Raises:
        whatever an admission, `simulate` and `execute` raise.
    """
    calibrate(database, settings[0].transactions, settings[0].executors, think)  # warms server, caches and clocks up
    calibrations: list[list[Calibration]] = [[] for _ in settings]
    measured: list[dict[str, list[list[Figures]]]] = [
        {name: [[] for _ in range(SESSIONS)] for name in setting.contenders} for setting in settings
    ]
    rng = random.Random(seed)
    for session in range(SESSIONS):
        for setting, known in zip(settings, calibrations, strict=True):
            known.append(calibrate(database, setting.transactions, setting.executors, think))
        for repetition, (place, setting) in product(range(repeats), enumerate(settings)):
            progress(f"session {session + 1}, repetition {repetition + 1}, {setting.name}")
            for name in rng.sample(list(setting.contenders), len(setting.contenders)):
                run = _measured(database, setting, name, calibrations[place][-1], think)
                measured[place][name][session].append(run)
    return [_result(database, *each) for each in zip(settings, calibrations, measured, strict=True)]


def _result(
    database: Database,
    setting: Setting,
    calibrations: Sequence[Calibration],
    measured: Mapping[str, Sequence[Sequence[Figures]]],
) -> Result:
    calibration = mean_of(calibrations)
    rules = calibration.rules(database, setting.backoff)
    cells = [
        Cell(
            name,
            _simulated(setting, name, rules, calibration.operation),
            _simulated(setting, name, STRICT, calibration.operation),
            sessions,
        )
        for name, sessions in measured.items()
    ]
    return Result(setting, calibration, cells)


def _simulated(setting: Setting, name: str, rules: Rules, unit: float) -> Figures:
    with setting.contenders[name]() as choose:
        outcome = simulate(setting.transactions, setting.arrivals, setting.executors, rules, choose, setting.window)
    return Figures(outcome.throughput / unit, _rms(outcome.latency) * unit, float(outcome.aborts.sum()))


def _measured(database: Database, setting: Setting, name: str, calibration: Calibration, think: float) -> Figures:
    unit = calibration.operation
    pace = Pace(think, unit, setting.backoff)
    with setting.contenders[name]() as choose:
        run = execute(database, setting.transactions, setting.arrivals, setting.executors, pace, choose, setting.window)
    latency = run.committed - setting.arrivals * unit
    return Figures(run.throughput, _rms(latency), float(run.aborts))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
