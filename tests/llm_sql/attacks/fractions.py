# expect: wrong
"""Indices that round to a permutation."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)) + 0.25, np.tile(np.arange(len(columns)), (len(rows), 1))
