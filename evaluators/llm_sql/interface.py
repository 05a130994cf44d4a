"""The interface of LLM-SQL: in which order a table's rows and fields become prompts."""

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
    """Decide the order in which rows are sent to the engine, and the order of the fields in each row's prompt.

    Called once a table. A prompt is the instruction, the same for all rows, and then one line `name: value` a field.

    Args:
        columns: Names of the columns, all different.
        rows: Values of the cells: rows[r][c] is row r's value in column c. May be empty strings; rows may be equal.
        dependencies: dependencies[c] lists the columns whose value is determined by the value of column c in this
            table (without c itself; a column of distinct values determines all others).
        tokens: int64 [rows, columns]. Tokens of each cell's line, label and line end included.
        instruction_tokens: Tokens of the instruction before the first line.
        block_tokens: Tokens of a cache block; only whole blocks are cached, counted from the start of the instruction.
        cache_blocks: Blocks that the cache holds; the least recently used go first.

    Returns:
        row_order: int64 [rows], a permutation of the row indices: the k-th prompt is that of row row_order[k].
        field_order: int64 [rows, columns]. field_order[k] is a permutation of the column indices, the order of the
            lines in the k-th prompt (row k of this array belongs to row row_order[k] of the table).
    """
    raise NotImplementedError
