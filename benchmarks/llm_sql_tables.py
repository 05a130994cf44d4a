"""What published orders of rows and fields save on real and on generated tables.

    python benchmarks/llm_sql_tables.py

Needs the extra `tables`. Three parts: the share of prefill time saved on stretches of 300 rows of real tables, the same
on one generated table of each regime, and the share of characters that a row has in common with the row before it, by
which tables are often compared (whole real tables, up to 10,000 rows; values alone, without labels or a cache).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from adrs.evaluation.protocol import Workload
from adrs.testing.direct import DirectPolicy
from evaluators.llm_sql import QueryReordering
from evaluators.llm_sql.hits import shared_lengths
from evaluators.llm_sql.packaged import FAMILIAR, SHIFTED, packaged_table
from evaluators.llm_sql.table import Table

SEEDS = Path(__file__).parents[1] / "seeds" / "llm_sql"
POLICIES = ["as_stored", "cardinality", "solo", "ggr", "ggr_full", "grouping"]
SALT = 0
MOST_ROWS = 10_000


def main() -> None:
    print("prefill time saved, real tables (300 rows a stretch)")
    print_savings(QueryReordering(packaged=True))
    print("\nprefill time saved, generated tables")
    print_savings(QueryReordering())
    print("\ncharacters shared with the row before")
    print_characters()


def print_savings(evaluator: QueryReordering) -> None:
    """One line a regime: the mean over its test workloads for each policy, and of the bound."""
    print_line("", [*POLICIES, "bound"])
    regimes: dict[str, list[Workload]] = {}
    for workload in evaluator.workloads("test", SALT):
        regimes.setdefault(workload.regime, []).append(workload)
    for regime, workloads in regimes.items():
        bound = np.mean([evaluator.bound(workload)["saved_share"] for workload in workloads])
        print_line(regime, [f"{share:.3f}" for share in (*(saved(evaluator, workloads, p) for p in POLICIES), bound)])


def saved(evaluator: QueryReordering, workloads: Sequence[Workload], name: str) -> float:
    return float(np.mean([evaluator.run(workload, policy(name))["saved_share"] for workload in workloads]))


def print_characters() -> None:
    names = ["as_stored", "cardinality", "solo", "ggr"]
    print_line("", names)
    for table_name in (*FAMILIAR, *SHIFTED):
        table = packaged_table(table_name)
        table = Table(table.columns, table.rows[:MOST_ROWS])
        print_line(table_name, [f"{shared_characters(texts(table, name)):.3f}" for name in names])


def texts(table: Table, name: str) -> list[str]:
    """Each row's values, in the order of a policy."""
    rows, tokens = [list(row) for row in table.rows], np.zeros(table.codes.shape, dtype=np.int64)
    row_order, field_order = policy(name).call(
        "reorder", list(table.columns), rows, table.dependencies, tokens, 0, 1, 1
    )
    return ["".join(rows[row][field] for field in fields) for row, fields in zip(row_order, field_order, strict=True)]


def shared_characters(rows: Sequence[str]) -> float:
    shared = shared_lengths([row.encode("utf-32-le") for row in rows], 4)
    return float(shared.sum()) / sum(map(len, rows))


def policy(name: str) -> DirectPolicy:
    return DirectPolicy.from_source((SEEDS / f"{name}.py").read_text(encoding="utf-8"))


def print_line(name: str, cells: Iterable[str]) -> None:
    print(f"{name:20}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
