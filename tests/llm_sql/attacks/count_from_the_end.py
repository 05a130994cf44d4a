# expect: wrong
"""Negative indices name each row and column once, as numpy would take them, and some twice."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    row_order = np.arange(len(rows))
    row_order[1] = -len(rows)
    field_order = np.tile(np.arange(len(columns)) - len(columns), (len(rows), 1))
    return row_order, field_order
