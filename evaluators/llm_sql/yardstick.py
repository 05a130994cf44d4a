"""A policy of fixed work, timed beside candidates to tell how fast the machine is.

It does what policies do: looks values up, counts, sorts numbers and texts, gathers. Not a baseline: never change it
without measuring `evaluator.REFERENCE` anew.
"""

import numpy as np


def reorder(
    columns: list[str],
    rows: list[list[str]],
    dependencies: list[list[int]],
    tokens: np.ndarray,
    instruction_tokens: int,
    block_tokens: int,
    cache_blocks: int,
) -> tuple[np.ndarray, np.ndarray]:
    count, width = len(rows), len(columns)
    codes = np.empty((count, width), dtype=np.int64)
    for column in range(width):
        values = [row[column] for row in rows]
        numbers = {value: number for number, value in enumerate(sorted(set(values)))}
        codes[:, column] = [numbers[value] for value in values]
    order = list(range(width))
    for _ in range(3):
        groups = np.zeros(count, dtype=np.int64)
        for column in order:
            groups = np.unique(groups * count + codes[:, column], return_inverse=True)[1]
        seen: dict[int, int] = {}
        for group in groups.tolist():
            seen[group] = seen.get(group, 0) + 1
        order.sort(key=lambda column: (len(np.unique(codes[:, column])), column))
    texts = sorted((" ".join([row[column] for column in order]), index) for index, row in enumerate(rows))
    return np.array([index for _, index in texts]), np.tile(np.array(order), (count, 1))
