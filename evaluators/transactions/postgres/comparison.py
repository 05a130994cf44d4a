"""The same admissions in the simulator and on PostgreSQL, twice over, and how far they agree.

Each setting is calibrated and simulated first. Then every session measures every contender in every setting
`repeats` times; within a repetition the contenders of a setting follow each other in an order drawn anew, so that a
machine that slows down or speeds up favours nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np

from evaluators.transactions.locking import Choose, by_rank, simulate
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.postgres.calibration import Calibration, calibrate
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
    """A contender in a setting; `sessions` holds its measured runs, [SESSIONS][repeats]."""

    contender: str
    simulated: Figures
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
    calibrations = [calibrate(database, each.transactions, each.executors, think) for each in settings]
    measured: dict[tuple[int, str], list[list[Figures]]] = {
        (place, name): [[] for _ in range(SESSIONS)] for place, each in enumerate(settings) for name in each.contenders
    }
    rng = random.Random(seed)
    for session in range(SESSIONS):
        for repetition in range(repeats):
            for place, setting in enumerate(settings):
                progress(f"session {session + 1}, repetition {repetition + 1}, {setting.name}")
                for name in rng.sample(list(setting.contenders), len(setting.contenders)):
                    run = _measured(database, setting, name, calibrations[place], think)
                    measured[place, name][session].append(run)
    return [
        Result(
            setting,
            calibrations[place],
            [
                Cell(name, _simulated(database, setting, name, calibrations[place]), measured[place, name])
                for name in setting.contenders
            ],
        )
        for place, setting in enumerate(settings)
    ]


def _simulated(database: Database, setting: Setting, name: str, calibration: Calibration) -> Figures:
    rules = calibration.rules(database, setting.backoff)
    with setting.contenders[name]() as choose:
        outcome = simulate(
            setting.transactions, setting.arrivals, setting.executors, rules, choose, setting.window
        )
    unit = calibration.operation
    return Figures(outcome.throughput / unit, _rms(outcome.latency) * unit, float(outcome.aborts.sum()))


def _measured(
    database: Database, setting: Setting, name: str, calibration: Calibration, think: float
) -> Figures:
    unit = calibration.operation
    pace = Pace(think, unit, setting.backoff)
    with setting.contenders[name]() as choose:
        run = execute(
            database, setting.transactions, setting.arrivals, setting.executors, pace, choose, setting.window
        )
    latency = run.committed - setting.arrivals * unit
    return Figures(run.throughput, _rms(latency), float(run.aborts))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
