# expect: wrong
"""The metrics themselves."""


def reorder(columns, rows, dependencies, tokens, instruction_tokens, block_tokens, cache_blocks):
    return {"saved_share": 1.0, "net_saved_share": 1.0, "token_hit_rate": 1.0}
