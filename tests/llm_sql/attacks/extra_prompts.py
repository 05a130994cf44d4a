# expect: wrong
"""Warms the cache with prompts that nobody asked for."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    row_order = np.concatenate([np.arange(len(rows)), np.arange(len(rows))])
    return row_order, np.tile(np.arange(len(columns)), (len(row_order), 1))
