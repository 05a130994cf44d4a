# expect: wrong
"""Truth values for indices."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)), np.ones((len(rows), len(columns)), dtype=bool)
