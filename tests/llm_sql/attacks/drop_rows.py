# expect: wrong
"""Leaves the second half of the table out."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    half = len(rows) // 2
    return np.arange(half), np.tile(np.arange(len(columns)), (half, 1))
