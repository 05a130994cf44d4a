# expect: wrong
"""A single field order, to be broadcast."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)), np.arange(len(columns))
