# expect: wrong
"""Unsigned indices that come out as rows of the table once they are cut to 64 bits with a sign."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    row_order = np.arange(len(rows), dtype=np.uint64)
    row_order[0] = 2**64 - 1
    return row_order, np.tile(np.arange(len(columns)), (len(rows), 1))
