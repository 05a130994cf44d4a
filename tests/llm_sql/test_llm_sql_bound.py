"""No order beats the bound, whatever the blocks; where it is tight, and where the trie alone would be loose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_sql_cases import all_orders, random_order, random_table, table

from evaluators.llm_sql.bound import least_tokens, most_reused, most_shared, spanning_reuse
from evaluators.llm_sql.cache import replay
from evaluators.llm_sql.prices import LLAMA_8B_H100 as PRICE
from evaluators.llm_sql.prompts import Order, Prompts
from evaluators.llm_sql.table import Table

PLENTY = 10**6  # blocks
ROUNDING = 1e-12  # seconds


def saved(prompts: Prompts, order: Order, block: int, capacity: int = PLENTY) -> tuple[int, float]:
    """Tokens and seconds that an order saves, as the evaluator counts them."""
    reused = (replay(prompts.ordered(order), capacity, block) - prompts.instruction_tokens).clip(min=0)
    before = np.full_like(reused, prompts.instruction_tokens)
    return int(reused.sum()), PRICE.seconds(before, reused)


def assert_within(prompts: Prompts, order: Order, block: int, capacity: int = PLENTY) -> None:
    most = most_reused(prompts, PRICE, block)
    tokens, seconds = saved(prompts, order, block, capacity)
    assert tokens <= most.tokens
    assert seconds <= most.seconds + ROUNDING


@pytest.mark.parametrize(
    "rows",
    [
        ("x y", "x z", "w y"),
        ("x x", "x x", "x x", "y x"),
        ("p.q.r s", "p.q.t s", "p.q.r u"),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 16])
def test_all_orders_of_tiny_tables(rows: tuple[str, ...], block: int) -> None:
    prompts = Prompts(table(*rows))
    most = most_reused(prompts, PRICE, block)
    best = max(saved(prompts, order, block) for order in all_orders(len(rows), 2))
    assert best[0] <= most.tokens
    assert best[1] <= most.seconds + ROUNDING


@pytest.mark.slow
@settings(deadline=None, max_examples=6, derandomize=True)
@given(seed=st.integers(0, 10**6), values=st.integers(2, 4), block=st.sampled_from([1, 2, 5, 16]))
def test_all_orders_of_three_by_three(seed: int, values: int, block: int) -> None:
    prompts = Prompts(random_table(np.random.default_rng(seed), 3, 3, values))
    most = most_reused(prompts, PRICE, block)
    for order in all_orders(3, 3):
        tokens, seconds = saved(prompts, order, block)
        assert tokens <= most.tokens
        assert seconds <= most.seconds + ROUNDING


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 12),
    columns=st.integers(1, 5),
    values=st.integers(1, 6),
    block=st.sampled_from([1, 3, 16]),
)
def test_no_order_of_a_small_table(seed: int, rows: int, columns: int, values: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = Prompts(random_table(rng, rows, columns, values))
    for _ in range(4):
        assert_within(prompts, random_order(rng, rows, columns), block)
    by_value = Order(np.lexsort(prompts.cells.T[::-1]), np.tile(np.arange(columns), (rows, 1)))
    assert_within(prompts, by_value, block)


def test_a_single_column_is_its_trie() -> None:
    """Sorted, blocks of one token: the bound is reached, by both bounds."""
    prompts = Prompts(table("one.two", "one.three", "four", "one.two.three"))
    order = Order(np.argsort(["one.two", "one.three", "four", "one.two.three"]), np.zeros((4, 1), dtype=np.int64))
    tokens, seconds = saved(prompts, order, 1)
    most = most_reused(prompts, PRICE, 1)
    assert (tokens, seconds) == (most.tokens, pytest.approx(most.seconds))
    assert tokens == int(prompts.tokens.sum()) - least_tokens(prompts.lines, 4) == spanning_reuse(prompts, 1).sum()


def test_columns_that_mix_freely_cannot_all_be_shared() -> None:
    """All pairs of 6 and 6 values: each value once would leave 12 lines; a row shares one line with any other row."""
    values = [" ".join(["word"] * 40 + [name]) for name in "uvwxyz"]
    pairs = Table(("one", "two"), tuple((one, two) for one in values for two in values))
    prompts = Prompts(pairs)
    total, line = int(prompts.tokens.sum()), int(prompts.tokens[0, 0])
    assert total - least_tokens(prompts.lines, 36) > 29 * 2 * line
    shared = int(most_shared(prompts.lines).max())  # of a line with another of its column
    assert most_reused(prompts, PRICE, 1).tokens <= 35 * (line + shared) < total - least_tokens(prompts.lines, 36)


def test_whole_blocks_and_a_last_token_are_left_out() -> None:
    """Equal rows reuse all but their last block or part of one."""
    prompts = Prompts(table(*["same"] * 3))
    total = prompts.instruction_tokens + int(prompts.tokens[0, 0])
    for block in (1, 7, 16):
        each = (total - 1) // block * block - prompts.instruction_tokens
        assert spanning_reuse(prompts, block).tolist() == [max(0, each)] * 2


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10**6), block=st.sampled_from([2, 4, 16]), spare=st.integers(0, 20))
def test_larger_blocks_and_smaller_caches_save_no_more_than_the_bound_of_single_tokens(
    seed: int, block: int, spare: int
) -> None:
    rng = np.random.default_rng(seed)
    prompts = Prompts(random_table(rng, 10, 3, 4))
    order = random_order(rng, 10, 3)
    longest = max(len(prompt) for prompt in prompts.ordered(order)) // 4
    tokens, _ = saved(prompts, order, block, -(-longest // block) + spare)
    assert tokens <= saved(prompts, order, 1)[0] <= most_reused(prompts, PRICE, 1).tokens
