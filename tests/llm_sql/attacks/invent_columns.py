# expect: wrong
"""Columns beyond the last."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)), np.tile(np.arange(1, len(columns) + 1), (len(rows), 1))
