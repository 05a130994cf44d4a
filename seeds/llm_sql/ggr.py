"""Greedy Group Recursion (GGR) with the early stopping of its paper.

Liu et al., "Optimizing LLM Queries in Relational Data Analytics Workloads", MLSys 2025: Algorithm 1, functional
dependencies (section 4.2.1), table statistics and early stopping (4.2.2), the settings of section 6.5. The value with
the highest hit count (squared length, times its repetitions) is moved to the front of the rows that hold it; those
rows, without the columns that are settled, and all other rows are treated likewise.

Two slips of Algorithm 1 are mended: lengths of inferred columns are squared as that of the value itself is (line 6),
and the rows that come back behind the prefix are those of the group (line 29 exchanges L_A and L_B). Where the text
leaves room, the authors' code decides: a length is that of the value in characters, and a column's statistic is its
mean length, squared, times its rows per distinct value less one. Where nothing repeats, recursing would gain nothing,
and the statistics decide too.
"""

import numpy as np

ROW_DEPTH = 4  # groups taken from a table before statistics order the rest of it
COLUMN_DEPTH = 2  # prefix columns (with those inferred from them) before statistics order the rest
LEAST_HITS = 100_000  # a best hit count below this ends the recursion


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    table = Table(rows, dependencies)
    plan = []  # (row, field order), in the order of the requests
    recurse(table, np.arange(len(rows)), list(range(len(columns))), [], 0, 0, plan)
    row_order, field_order = zip(*plan, strict=True)
    return np.array(row_order), np.array(field_order)


class Table:
    """Cells as numbers: `codes` [rows, columns], unique over the table; lengths of the cells; `inferred` columns."""

    def __init__(self, rows, dependencies):
        self.length = np.array([[len(cell) for cell in row] for row in rows], dtype=np.float64)
        self.square = self.length**2
        self.codes = np.empty(self.length.shape, dtype=np.int64)
        self.start = [0]  # of each column's codes
        for column, values in enumerate(zip(*rows, strict=True)):
            rank = {value: self.start[-1] + code for code, value in enumerate(sorted(set(values)))}
            self.codes[:, column] = [rank[value] for value in values]
            self.start.append(self.start[-1] + len(rank))
        self.inferred = dependencies

    def counts(self, rows, cols):
        """How often each code is among these rows and columns."""
        return np.bincount(self.codes[rows][:, cols].ravel(), minlength=self.start[-1])


def recurse(table, rows, cols, prefix, row_depth, col_depth, plan):
    """GGR on a sub-table; its rows leave with the columns of `prefix` in front. The recursion on the rows outside of
    the group (line 25) is the loop."""
    if not cols:
        plan.extend((int(row), prefix) for row in rows)
        return
    count = table.counts(rows, cols)
    settled = {col: [col] + [other for other in table.inferred[col] if other in cols] for col in cols}
    weight = hit_lengths(table, rows, settled)
    while len(rows) > 1 and len(cols) > 1 and row_depth < ROW_DEPTH and col_depth < COLUMN_DEPTH:
        hits = weight * (count - 1)
        best = int(np.argmax(hits))
        if hits[best] < LEAST_HITS or hits[best] <= 0:
            break
        column = int(np.searchsorted(table.start, best, side="right")) - 1
        member = table.codes[rows, column] == best
        group, rows = rows[member], rows[~member]
        count -= table.counts(group, cols)
        rest = [col for col in cols if col not in settled[column]]
        recurse(table, group, rest, prefix + settled[column], row_depth, col_depth + 1, plan)
        row_depth += 1
    by_statistics(table, rows, cols, prefix, plan)


def hit_lengths(table, rows, settled):
    """Per value, the squared lengths that a repetition saves: its own and those of the columns that it settles.

    A value implies the cells of its inferred columns, so one row that holds it has them all (HitCount, lines 4-7).
    """
    weight = np.zeros(table.start[-1])
    square, codes = table.square[rows], table.codes[rows]
    for col, cols in settled.items():
        weight[codes[:, col]] = square[:, cols].sum(axis=1)
    return weight


def by_statistics(table, rows, cols, prefix, plan):
    """One field order for these rows, columns of the highest expected hit count first, and the rows sorted."""
    if len(rows) == 0:
        return
    codes = table.codes[rows][:, cols]
    distinct = 1 + np.count_nonzero(np.diff(np.sort(codes, axis=0), axis=0), axis=0)
    score = table.length[rows][:, cols].mean(axis=0) ** 2 * (len(rows) / distinct - 1)
    order = np.argsort(-score, kind="stable")
    fields = prefix + [cols[place] for place in order]
    for place in np.lexsort(codes[:, order[::-1]].T):
        plan.append((int(rows[place]), fields))
