# expect: wrong
"""An order with a third part that says how well it does."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    field_order = np.tile(np.arange(len(columns)), (len(rows), 1))
    return np.arange(len(rows)), field_order, {"saved_share": 1.0}
