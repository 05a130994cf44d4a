# expect: wrong
"""Leaves the longest columns out."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    short = np.argsort(tokens.sum(axis=0))[: len(columns) // 2]
    return np.arange(len(rows)), np.tile(short, (len(rows), 1))
