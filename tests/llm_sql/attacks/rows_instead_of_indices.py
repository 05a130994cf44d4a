# expect: wrong
"""The reordered table itself, with all cells made equal."""


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return [rows[0] for _ in rows], [columns for _ in rows]
