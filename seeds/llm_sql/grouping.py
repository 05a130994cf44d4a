"""Statistics of the columns decide: rows are grouped by the best column's values, each group by its own next column.

The score of a column is what Liu et al. (MLSys 2025, section 4.2.2) expect it to add to the prefix hit count: squared
length times repetitions. Below `LEVELS` columns all rows of a group share the field order that the scores give.
"""

import numpy as np

LEVELS = 1  # columns by which rows are grouped before they share an order
POWER = 2.0  # of a value's length
LABEL = 0.0  # length of a field besides its value


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    codes = encode(rows)
    length = np.array([[len(value) for value in row] for row in rows], dtype=np.float64)
    row_order, field_order = [], []

    def place(group, free, prefix):
        """Append the rows of a group, which have the columns of `prefix` in front and the `free` ones to be ordered."""
        ranked = sorted(free, key=lambda column: -score(codes[group, column], length[group, column]))
        if len(prefix) >= LEVELS or len(ranked) <= 1 or len(group) <= 1:
            keys = codes[group][:, ranked[::-1]].T
            row_order.extend(group[np.lexsort(keys)] if ranked else group)
            field_order.extend([prefix + ranked] * len(group))
            return
        best = ranked[0]
        for value in np.unique(codes[group, best]):
            place(group[codes[group, best] == value], ranked[1:], [*prefix, best])

    place(np.arange(len(rows)), list(range(len(columns))), [])
    return np.array(row_order), np.array(field_order)


def score(codes, length):
    """Worth of a column in front: how much its values repeat."""
    distinct = len(np.unique(codes))
    return (length.mean() + LABEL) ** POWER * (len(codes) / distinct - 1.0)


def encode(rows):
    """Integers [rows, columns]: each cell's rank among its column's distinct values."""
    codes = np.empty((len(rows), len(rows[0])), dtype=np.int64)
    for column, values in enumerate(zip(*rows, strict=True)):
        rank = {value: code for code, value in enumerate(sorted(set(values)))}
        codes[:, column] = [rank[value] for value in values]
    return codes
