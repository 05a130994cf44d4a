# expect: wrong
"""Field orders by column."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)), np.tile(np.arange(len(columns))[:, None], (1, len(rows)))
