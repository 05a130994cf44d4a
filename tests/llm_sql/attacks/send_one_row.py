# expect: wrong
"""Sends the shortest row as often as there are rows."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    shortest = int(np.argmin(tokens.sum(axis=1)))
    return np.full(len(rows), shortest), np.tile(np.arange(len(columns)), (len(rows), 1))
