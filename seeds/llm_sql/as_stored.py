"""Rows and fields as the table has them: what a query engine does that knows nothing of the cache."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    row_order = np.arange(len(rows))
    field_order = np.tile(np.arange(len(columns)), (len(rows), 1))
    return row_order, field_order
