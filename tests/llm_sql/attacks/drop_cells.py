# expect: wrong
"""Sends the first column over and over: all prompts agree, most cells are gone."""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return np.arange(len(rows)), np.zeros((len(rows), len(columns)), dtype=np.int64)
