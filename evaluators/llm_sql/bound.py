"""What no order of rows and fields beats.

Read a prompt's tokens as a path from the root of a trie; a token can only be reused if the path up to it has been
computed before. So every node of the prompts' trie is computed at least once, wherever it lies. What stands between a
token and the line end before it is part of its path: tokens that are reached differently *within their line* are
different nodes in every order. Hence at least one node, in some prompt, for each node of the trie of the table's
distinct lines. Values that share a beginning share it here, so this asks for less than each distinct value once.

Besides, every prompt computes its last token, which is a line end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.llm_sql.hits import shared_lengths
from evaluators.llm_sql.prices import Prefill
from evaluators.llm_sql.prompts import TOKEN_BYTES, Ints


def least_tokens(lines: Sequence[bytes], rows: int) -> int:
    """Tokens that are computed, the instruction's aside, for any order of a table of so many rows and these lines."""
    _, new = _inner_nodes(lines)
    return int(new.sum()) + max(len(lines), rows)


def least_seconds(price: Prefill, lines: Sequence[bytes], instruction: int, row_tokens: Ints) -> float:
    """Seconds of prefill, the instruction's aside, for any order.

    A node as deep within its line stands at least as far from the prompt's start as if its line were the first; the
    last token of row r stands behind all others of its prompt, `row_tokens[r]` of them and the instruction's.
    """
    depth, new = _inner_nodes(lines)
    inner = price.seconds(instruction + depth, new)
    last = price.seconds(instruction + row_tokens - 1, np.ones_like(row_tokens))
    further = max(0, len(lines) - len(row_tokens))  # line ends that are no prompt's last token
    return inner + last + further * price.seconds(np.array([instruction]), np.array([1]))


def _inner_nodes(lines: Sequence[bytes]) -> tuple[Ints, Ints]:
    """For each line in lexical order, how many of its tokens the one before has, and its further ones but the last."""
    ordered = sorted(lines)
    lengths = np.array([len(line) // TOKEN_BYTES for line in ordered], dtype=np.int64)
    shared = shared_lengths(ordered, TOKEN_BYTES)
    return shared, lengths - 1 - shared
