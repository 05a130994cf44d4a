"""What no order of rows and fields beats, whatever the cache holds. Two bounds, of which the tighter counts.

**Trie.** Read a prompt's tokens as a path from the root of a trie. A token can only be reused if the path up to it has
been computed before, so each node of the prompts' trie is computed at least once. What stands between a token and the
line end before it is part of its path: tokens that are reached differently within their line are different nodes in
every order. Hence the trie of the table's distinct lines, instruction aside, has no more nodes than the prompts' trie.
Values that share a beginning share it there, so this asks for less than "each distinct value once". Besides, every
prompt computes its last token, which is a line end.

**Spanning tree.** What a prompt reuses is a prefix that it shares with one prompt before it. Two rows share at most the
lines in which they agree, in any order of either, and a part of one line in which they differ; of that, whole blocks,
and never all tokens. So the prompts' reuse is at most the weight of a tree that spans all rows, with these limits as
the weights of its edges, and so at most that of the heaviest one (Prim's algorithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.llm_sql.hits import shared_lengths
from evaluators.llm_sql.prices import Prefill
from evaluators.llm_sql.prompts import TOKEN_BYTES, Ints, Prompts


@dataclass(frozen=True)
class Most:
    """The most that can be reused of a table's prompts, their instruction aside."""

    tokens: int
    seconds: float


def most_reused(prompts: Prompts, price: Prefill, block_tokens: int) -> Most:
    """Tokens and seconds that no order saves more than."""
    instruction, totals = prompts.instruction_tokens, prompts.tokens.sum(axis=1)
    before = np.full_like(totals, instruction)
    edges = spanning_reuse(prompts, block_tokens)
    by_trie = price.seconds(before, totals) - least_seconds(price, prompts.lines, instruction, totals)
    return Most(
        min(int(totals.sum()) - least_tokens(prompts.lines, len(totals)), int(edges.sum())),
        min(by_trie, price.seconds(before[1:], edges)),
    )


def least_tokens(lines: Sequence[bytes], rows: int) -> int:
    """By the trie: tokens that any order of a table of so many rows and these distinct lines computes."""
    _, new = _inner_nodes(lines)
    return int(new.sum()) + max(len(lines), rows)


def least_seconds(price: Prefill, lines: Sequence[bytes], instruction: int, row_tokens: Ints) -> float:
    """By the trie: seconds of any order, given the instruction's tokens and those of each row.

    A node as deep within its line stands at least as far from the prompt's start as if its line were the first; a
    prompt's last token stands behind all others.
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


def spanning_reuse(prompts: Prompts, block_tokens: int) -> Ints:
    """[rows - 1]. Tokens, the instruction's aside, at the edges of the heaviest tree."""
    instruction, totals = prompts.instruction_tokens, prompts.tokens.sum(axis=1)
    cells, tokens = (
        np.ascontiguousarray(prompts.cells.T),
        np.ascontiguousarray(prompts.tokens.T),
    )  # numpy adds up faster
    part = most_shared(prompts.lines)[cells]  # of a line, with any other line
    weight = np.full(len(totals), -1)
    outside = np.ones(len(totals), dtype=np.bool_)
    edges = np.zeros(len(totals) - 1, dtype=np.int64)
    row = 0
    for index in range(len(edges)):
        outside[row] = False
        differ = cells != cells[:, row, None]
        agreed = totals - (tokens * differ).sum(axis=0)
        differing = np.minimum((part[:, row, None] * differ).max(axis=0), (part * differ).max(axis=0))
        whole = np.minimum(agreed + differing, np.maximum(totals, totals[row]) - 1)
        blocks = (instruction + whole) // block_tokens * block_tokens
        weight = np.maximum(weight, (blocks - instruction).clip(min=0))
        row = int(np.argmax(np.where(outside, weight, -1)))
        edges[index] = weight[row]
    return edges


def most_shared(lines: Sequence[bytes]) -> Ints:
    """For each of these distinct lines, the most leading tokens that it shares with another."""
    order = sorted(range(len(lines)), key=lines.__getitem__)
    before = shared_lengths([lines[index] for index in order], TOKEN_BYTES)
    after = np.append(before[1:], 0)
    most = np.zeros(len(lines), dtype=np.int64)
    most[order] = np.maximum(before, after)
    return most
