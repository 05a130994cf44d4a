"""The hit metrics of the literature: neither knows blocks, tokens or a cache that is full."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.llm_sql.prompts import Ints, Order
from evaluators.llm_sql.table import Table


def prefix_hit_share(table: Table, order: Order) -> float:
    """Prefix hit count over the largest thinkable one (all cells hit), between 0 and 1.

    Liu et al., "Optimizing LLM Queries in Relational Data Analytics Workloads" (MLSys 2025), section 3, equations 1
    and 2: in each row the leading fields that equal the row before in the same places, the squares of their lengths
    summed. Lengths are characters of the values, as in the authors' code.
    """
    lengths = np.array([[len(value) for value in row] for row in table.rows], dtype=np.int64)
    squares = np.take_along_axis(lengths[order.rows] ** 2, order.fields, axis=1)
    codes = np.take_along_axis(table.codes[order.rows], order.fields, axis=1)
    same = (order.fields[1:] == order.fields[:-1]) & (codes[1:] == codes[:-1])
    hits = np.logical_and.accumulate(same, axis=1)
    return float((squares[1:] * hits).sum() / max(1, squares.sum()))


def trie_hit_rate(table: Table, order: Order) -> float:
    """Share of characters that some earlier row has as its prefix too: the ADRS benchmark's hit rate, between 0 and 1.

    Cheng et al., "Barbarians at the Gate: How AI is Upending Systems Research" (arXiv 2510.06189), LLM-SQL: a row is
    its values without labels or separators, and the cache is an infinite trie of characters. Such a trie's hits are the
    same for every order of the rows: each distinct prefix is hit as often as it occurs, less once.
    """
    texts = [
        "".join([table.rows[row][field] for field in fields])
        for row, fields in zip(order.rows.tolist(), order.fields.tolist(), strict=True)
    ]
    ordered = sorted(text.encode("utf-32-be") for text in texts)
    total = sum(len(text) for text in texts)
    return float(shared_lengths(ordered, 4).sum() / max(1, total))


def shared_lengths(ordered: Sequence[bytes], width: int) -> Ints:
    """For each sequence of units of `width` bytes, how many leading units it shares with the one before; 0 at first."""
    shared = np.zeros(len(ordered), dtype=np.int64)
    units = [np.frombuffer(text, dtype=f"V{width}") for text in ordered]
    for index in range(1, len(units)):
        before, here = units[index - 1], units[index]
        length = min(len(before), len(here))
        differs = before[:length] != here[:length]
        shared[index] = int(np.argmax(differs)) if differs.any() else length
    return shared
