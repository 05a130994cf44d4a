"""SOLO: the next column is the one that adds fewest distinct prefixes; rows sorted.

Li, Wang, Guo, Chen, Wang and He, "Prefix-Cache-Aware Data Reordering for LLM-Augmented Database Analytics", ICML 2026
(PMLR 306): the greedy shaping of the radix tree that the rows of a table span. With G(k) the number of distinct value
combinations in the first k columns, each step takes the column that keeps the next G smallest, the first of equals; one
field order for all rows, which are sorted under it.
"""

import numpy as np


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    codes = encode(rows)
    prefix = np.zeros(len(rows), dtype=np.int64)  # which of the distinct prefixes so far each row has
    remaining = list(range(codes.shape[1]))
    order = []
    while remaining:
        refined = [refine(prefix, codes[:, column]) for column in remaining]
        best = int(np.argmin([groups.max() for groups in refined]))
        prefix = refined[best]
        order.append(remaining.pop(best))
    return np.argsort(prefix, kind="stable"), np.tile(order, (len(rows), 1))


def refine(prefix, codes):
    """Prefixes longer by one column: their ranks, in lexicographic order."""
    return np.unique(prefix * (codes.max() + 1) + codes, return_inverse=True)[1]


def encode(rows):
    """Integers [rows, columns]: each cell's rank among its column's distinct values."""
    codes = np.empty((len(rows), len(rows[0])), dtype=np.int64)
    for column, values in enumerate(zip(*rows, strict=True)):
        rank = {value: code for code, value in enumerate(sorted(set(values)))}
        codes[:, column] = [rank[value] for value in values]
    return codes
