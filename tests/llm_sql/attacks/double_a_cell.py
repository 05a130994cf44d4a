# expect: wrong
"""In one row a cheap cell stands in for a dear one."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    field_order = np.tile(np.arange(len(columns)), (len(rows), 1))
    field_order[-1, np.argmax(tokens[-1])] = np.argmin(tokens[-1])
    return np.arange(len(rows)), field_order
