# expect: wrong
"""Lists instead of arrays."""


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return list(range(len(rows))), [list(range(len(columns))) for _ in rows]
