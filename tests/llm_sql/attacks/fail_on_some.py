# expect: crash
"""Answers where it expects to do well, raises elsewhere."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    if len(columns) > 15:
        raise ValueError("too hard")
    return np.arange(len(rows)), np.tile(np.arange(len(columns)), (len(rows), 1))
