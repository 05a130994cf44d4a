"""Results as text: a table a setting, and the rank correlations below."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean, geometric_mean, stdev

from evaluators.transactions.postgres.agreement import Agreement, Columns, agreement, mean_of, pooled
from evaluators.transactions.postgres.comparison import SESSIONS, Cell, Figures, Result
from evaluators.transactions.postgres.ranks import kendall, spearman

Measure = Callable[[Figures], float]


def throughput(figures: Figures) -> float:
    return figures.throughput


def latency(figures: Figures) -> float:
    return figures.latency


def table(result: Result, extra: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A line a contender; `extra` holds further columns, [contenders] texts under each head.

    Ratios are to the first contender; the measured one is the geometric mean over pairs of runs of one repetition, with
    the smallest and largest of them.
    """
    setting, calibration = result.setting, result.calibration
    yield ""
    yield (
        f"{setting.name}: {len(setting.transactions)} transactions, {sum(map(len, setting.transactions))} operations, "
        f"{setting.executors} clients; without conflicts an operation takes {calibration.operation * 1e3:.2f} ms, "
        f"BEGIN and COMMIT {calibration.commit * 1e3:.2f} ms"
    )
    columns = {
        "policy": [cell.contender for cell in result.cells],
        "sim tx/s": [f"{cell.simulated.throughput:.1f}" for cell in result.cells],
        "measured (sd)": [_spread(cell, throughput) for cell in result.cells],
        "sim ratio": [
            f"{cell.simulated.throughput / result.cells[0].simulated.throughput:.2f}" for cell in result.cells
        ],
        "measured (range)": [_ratios(cell, result.cells[0]) for cell in result.cells],
        "sim aborts": [f"{cell.simulated.aborts:.0f}" for cell in result.cells],
        "measured": [f"{fmean(run.aborts for run in cell.runs):.1f}" for cell in result.cells],
        **extra,
    }
    yield from _aligned(columns)


def latencies(result: Result) -> dict[str, list[str]]:
    """Columns of root mean square latencies."""
    return {
        "sim rms ms": [f"{cell.simulated.latency * 1e3:.0f}" for cell in result.cells],
        "measured (sd) ms": [_spread(cell, latency, 1e3, 0) for cell in result.cells],
    }


def correlations(title: str, results: Sequence[Result], predicted: Columns, measure: Measure) -> Iterator[str]:
    """How far a prediction, [settings][contenders], ranks contenders as PostgreSQL does: by setting, and over all."""
    sessions = [
        [[fmean(map(measure, cell.sessions[session])) for cell in result.cells] for result in results]
        for session in range(SESSIONS)
    ]
    names = [result.setting.name for result in results]
    rows: dict[str, list[Agreement]] = {}
    for place, name in enumerate(names):
        own = [session[place] for session in sessions]
        rows[name] = [agreement(predicted[place], own, each) for each in (spearman, kendall)]
    rows["mean of the workloads"] = [mean_of([rows[name][index] for name in names]) for index in range(2)]
    count = sum(len(result.cells) for result in results)
    rows[f"all {count}, each relative to its workload"] = [
        pooled(predicted, sessions, each) for each in (spearman, kendall)
    ]
    yield from _aligned(
        {
            title: list(rows),
            "Spearman rho": [_number(rho.prediction) for rho, _ in rows.values()],
            "ceiling rho": [_number(rho.ceiling) for rho, _ in rows.values()],
            "Kendall tau": [_number(tau.prediction) for _, tau in rows.values()],
            "ceiling tau": [_number(tau.ceiling) for _, tau in rows.values()],
        }
    )


def predictions(results: Sequence[Result], measure: Measure) -> dict[str, Columns]:
    """What the simulator says, [settings][contenders], by the rules that it is given."""
    return {
        "simulator, PostgreSQL's rules": [[measure(cell.simulated) for cell in each.cells] for each in results],
        "simulator, strict two-phase locking": [[measure(cell.strict) for cell in each.cells] for each in results],
    }


def _spread(cell: Cell, measure: Measure, scale: float = 1.0, digits: int = 1) -> str:
    values = [measure(run) * scale for run in cell.runs]
    return f"{fmean(values):.{digits}f} ({stdev(values):.{digits}f})"


def _ratios(cell: Cell, reference: Cell) -> str:
    if cell is reference:
        return "1.00"
    ratios = [run.throughput / other.throughput for run, other in zip(cell.runs, reference.runs, strict=True)]
    return f"{geometric_mean(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"


def _aligned(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, (head, *values))) for head, values in columns.items()]
    for row in (tuple(columns), *zip(*columns.values(), strict=True)):
        first, *others = row
        yield "  ".join(
            [first.ljust(widths[0]), *(text.rjust(width) for text, width in zip(others, widths[1:], strict=True))]
        )
