"""The simulator against plain, slow re-implementations of what it claims to be, and all orders of tiny tables."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.llm_sql.bound import most_reused
from evaluators.llm_sql.cache import replay
from evaluators.llm_sql.generated import generate
from evaluators.llm_sql.hits import prefix_hit_share, trie_hit_rate
from evaluators.llm_sql.prices import LLAMA_8B_H100, Prefill
from evaluators.llm_sql.prompts import INSTRUCTION, TOKEN_BYTES, Order, Prompts, line
from evaluators.llm_sql.schemas import SCHEMAS
from evaluators.llm_sql.table import Table
from evaluators.llm_sql.tokens import pieces

FEW = settings(deadline=None, max_examples=40, derandomize=True)

ROUNDING = 1e-15  # seconds

ALPHABET = "ab: \\\n\r_7é∑\u2028"
CELLS = st.text(ALPHABET, max_size=6)


@st.composite
def tables(draw: st.DrawFn, rows: int = 8, columns: int = 4) -> Table:
    width = draw(st.integers(1, columns))
    pool = draw(st.lists(CELLS, min_size=1, max_size=6))
    cells = st.tuples(*[st.sampled_from(pool)] * width)
    return Table(
        tuple(f"c{column}" for column in range(width)), tuple(draw(st.lists(cells, min_size=1, max_size=rows)))
    )


@st.composite
def ordered_tables(draw: st.DrawFn) -> tuple[Table, Order]:
    table = draw(tables())
    count, width = len(table.rows), len(table.columns)
    rows = draw(st.permutations(range(count)))
    fields = draw(st.lists(st.permutations(range(width)), min_size=count, max_size=count))
    return table, Order(np.array(rows), np.array(fields))


@dataclass(eq=False)
class Block:
    """A physical block of the engine; `key` is all tokens up to its end once it is full and computed."""

    key: tuple[int, ...] | None = None


class Engine:
    """vLLM's block pool, serving one request at a time (docs.vllm.ai/en/latest/design/prefix_caching).

    Allocation pops the head of the free queue and evicts what it held; the blocks of a finished request go to the tail,
    the last one first. The simulator simplifies one thing: blocks that hold nothing to be found again (half full, or
    computed twice) are allocated first, where the engine leaves them in their place. `literal` leaves them too.
    """

    def __init__(self, capacity: int, block_tokens: int, literal: bool = False) -> None:
        self.free = [Block() for _ in range(capacity)]
        self.size, self.literal = block_tokens, literal

    def serve(self, tokens: Sequence[int]) -> int:
        """Tokens reused."""
        keys = [tuple(tokens[: end + self.size]) for end in range(0, len(tokens) - self.size + 1, self.size)]
        held = self.found(keys[: (len(tokens) - 1) // self.size])
        self.free = [block for block in self.free if block not in held]
        reused = len(held) * self.size
        while len(held) * self.size < len(tokens):
            block = self.free.pop(0)
            block.key = keys[len(held)] if len(held) < len(keys) else None
            held.append(block)
        if self.literal:
            self.free += reversed(held)
            return reused
        for block in self.free:
            if block.key in keys:
                block.key = None
        kept = self.free + held[::-1]
        self.free = [block for block in kept if block.key is None] + [block for block in kept if block.key is not None]
        return reused

    def found(self, keys: Sequence[tuple[int, ...]]) -> list[Block]:
        held: list[Block] = []
        for key in keys:
            holders = [block for block in self.free if block.key == key]
            if not holders:
                break
            held.append(holders[0])
        return held


def ids(tokens: bytes) -> list[int]:
    return np.frombuffer(tokens, dtype="<u4").tolist()


@FEW
@given(seed=st.integers(0, 10**6), block=st.integers(1, 4), spare=st.integers(0, 8))
def test_the_cache_reuses_what_an_engine_does(seed: int, block: int, spare: int) -> None:
    """Random prompts of two tokens, so that beginnings are often shared, and caches down to one prompt's size."""
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(0, 2, rng.integers(1, 13)).tolist() for _ in range(80)]
    capacity = -(-12 // block) + spare
    engine = Engine(capacity, block)
    encoded = [np.array(prompt, dtype="<u4").tobytes() for prompt in prompts]
    assert replay(encoded, capacity, block).tolist() == [engine.serve(prompt) for prompt in prompts]


@pytest.mark.parametrize("literal", [False, True])
def test_the_engine_gives_the_documented_example(literal: bool) -> None:
    """Blocks of four tokens, ten of them: 14 tokens of which 10 are known reuse 2 blocks, 29 with 12 known reuse 3."""
    engine = Engine(10, 4, literal)
    first = list(range(15))
    requests = [first, [*first[:10], 90, 91, 92, 93], first[:12] + list(range(100, 117))]
    assert [engine.serve(request) for request in requests] == [0, 8, 12]


@pytest.mark.parametrize(("ordered", "least"), [(False, 0.98), (True, 0.999)])
def test_what_the_simplification_of_the_cache_is_worth(ordered: bool, least: float) -> None:
    """Through a cache of a twelfth of a table, as stored and sorted: the literal engine reuses hardly less."""
    table = generate(SCHEMAS["beers"], 250, None, 1)
    fields = np.argsort(table.codes.max(axis=0)) if ordered else np.arange(len(table.columns))
    rows = np.lexsort(table.codes[:, fields[::-1]].T) if ordered else np.arange(len(table.rows))
    prompts = Prompts(table).ordered(Order(rows, np.tile(fields, (len(rows), 1))))
    capacity = sum(map(len, prompts)) // TOKEN_BYTES // 16 // 12
    engine = Engine(capacity, 16, literal=True)
    literal = sum(engine.serve(ids(prompt)) for prompt in prompts)
    simulated = replay(prompts, capacity, 16).sum()
    assert least * simulated < literal <= simulated


@FEW
@given(prompts=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12), min_size=1, max_size=15))
def test_an_infinite_cache_of_single_tokens_is_a_trie(prompts: list[list[int]]) -> None:
    seen: set[tuple[int, ...]] = set()
    for prompt, reused in zip(
        prompts, replay([np.array(prompt, dtype="<u4").tobytes() for prompt in prompts], 10**6, 1), strict=True
    ):
        known = [end for end in range(1, len(prompt)) if tuple(prompt[:end]) in seen]
        assert reused == len(known)
        seen |= {tuple(prompt[:end]) for end in range(1, len(prompt) + 1)}


@FEW
@given(case=ordered_tables())
def test_prefix_hit_share_by_plain_loops(case: tuple[Table, Order]) -> None:
    table, order = case
    hits, before = 0, None
    for row, fields in zip(order.rows, order.fields, strict=True):
        here = [(column, table.rows[row][column]) for column in fields]
        for place, cell in enumerate(here):
            if before is None or before[place] != cell:
                break
            hits += len(cell[1]) ** 2
        before = here
    most = sum(len(cell) ** 2 for row in table.rows for cell in row)
    assert prefix_hit_share(table, order) == pytest.approx(hits / max(1, most))


@FEW
@given(case=ordered_tables())
def test_trie_hit_rate_by_a_trie_of_dicts(case: tuple[Table, Order]) -> None:
    table, order = case
    root: dict[str, dict] = {}
    hits = total = 0
    for row, fields in zip(order.rows, order.fields, strict=True):
        node, known = root, True
        for character in "".join(table.rows[row][column] for column in fields):
            total += 1
            known = known and character in node
            hits += known
            node = node.setdefault(character, {})
    assert trie_hit_rate(table, order) == pytest.approx(hits / max(1, total))


@FEW
@given(text=st.text(max_size=60) | st.text(ALPHABET, max_size=30))
def test_pieces_make_up_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@FEW
@given(case=ordered_tables())
def test_prompts_are_their_lines_token_by_token(case: tuple[Table, Order]) -> None:
    """A number stands for one text and a text has one number, in all prompts of a table."""
    table, order = case
    prompts = Prompts(table)
    numbers: dict[str, int] = {}
    for row, fields, prompt in zip(order.rows, order.fields, prompts.ordered(order), strict=True):
        texts = pieces(INSTRUCTION)
        for column in fields:
            cell = [*pieces(line(table.columns[column], table.rows[row][column])), "\n"]
            assert len(cell) == prompts.tokens[row, column]
            texts += cell
        assert [numbers.setdefault(text, number) for text, number in zip(texts, ids(prompt), strict=True)] == ids(
            prompt
        )
    assert len(set(numbers.values())) == len(numbers)


@FEW
@given(case=ordered_tables())
def test_a_record_can_be_read_back(case: tuple[Table, Order]) -> None:
    """Whatever a value holds, its lines say which columns have which values, each cell once."""
    table, order = case
    for row, fields in zip(order.rows, order.fields, strict=True):
        text = "".join(line(table.columns[column], table.rows[row][column]) + "\n" for column in fields)
        lines = text.split("\n")
        assert lines.pop() == ""
        read = [field.split(": ", 1) for field in lines]
        assert [name for name, _ in read] == [table.columns[column] for column in fields]
        assert [unescaped(value) for _, value in read] == [table.rows[row][column] for column in fields]


def unescaped(value: str) -> str:
    """The value that a line says: `\\n`, `\\r` and `\\\\` stand for one character."""
    out, marks = [], iter(value)
    for mark in marks:
        out.append({"n": "\n", "r": "\r", "\\": "\\"}[next(marks)] if mark == "\\" else mark)
    return "".join(out)


@FEW
@given(before=st.lists(st.integers(0, 40), min_size=1, max_size=5), new=st.integers(0, 30))
def test_prefill_seconds_add_up_token_by_token(before: list[int], new: int) -> None:
    """A token's own share, and the growth of the square of the tokens up to and including it."""
    price = Prefill(fixed=4.9, linear=16.6, quadratic=0.70, batch_tokens=8192)
    plain = sum(
        4.9e-3 / 8192 + 16.6e-6 + 0.70e-9 * ((start + i + 1) ** 2 - (start + i) ** 2)
        for start in before
        for i in range(new)
    )
    assert price.seconds(np.array(before), np.full(len(before), new)) == pytest.approx(plain)


def all_orders(rows: int, columns: int) -> list[Order]:
    fields = list(itertools.permutations(range(columns)))
    return [
        Order(np.array(row_order), np.array(field_order))
        for row_order in itertools.permutations(range(rows))
        for field_order in itertools.product(fields, repeat=rows)
    ]


@settings(deadline=None, max_examples=12, derandomize=True)
@given(table=tables(rows=3, columns=2), block=st.sampled_from([1, 3, 16]))
def test_no_order_of_a_tiny_table_beats_the_bound(table: Table, block: int) -> None:
    prompts = Prompts(table)
    most = most_reused(prompts, LLAMA_8B_H100, block)
    for order in all_orders(len(table.rows), len(table.columns)):
        tokens, seconds = saved(prompts, order, block)
        assert tokens <= most.tokens
        assert seconds <= most.seconds + ROUNDING


@FEW
@given(case=ordered_tables(), block=st.sampled_from([1, 2, 5, 16]))
def test_no_order_drawn_beats_the_bound(case: tuple[Table, Order], block: int) -> None:
    table, order = case
    prompts = Prompts(table)
    most = most_reused(prompts, LLAMA_8B_H100, block)
    tokens, seconds = saved(prompts, order, block)
    assert tokens <= most.tokens
    assert seconds <= most.seconds + ROUNDING


def saved(prompts: Prompts, order: Order, block: int) -> tuple[int, float]:
    """Tokens and seconds that an order saves, the instruction's aside, where the cache never fills."""
    hits = replay(prompts.ordered(order), 10**6, block)
    reused = (hits - prompts.instruction_tokens).clip(min=0)
    start = np.full_like(reused, prompts.instruction_tokens)
    return int(reused.sum()), LLAMA_8B_H100.seconds(start, reused)


@pytest.mark.parametrize(
    ("rows", "reused"),
    [
        ([["one two"], ["one three"], ["four"]], 2 * 2 + 1),  # `word`, `:` twice, ` one` once
        ([["x", "y"], ["x", "z"], ["x", "y"]], (3 + 2 + 3 + 2) + 3),
    ],
)
def test_the_bound_can_be_reached(rows: list[list[str]], reused: int) -> None:
    """Blocks of one token: nothing but beginnings repeats, or what repeats can stand in front."""
    table = Table(("word", "other")[: len(rows[0])], tuple(map(tuple, rows)))
    prompts = Prompts(table)
    most = most_reused(prompts, LLAMA_8B_H100, 1)
    tokens, seconds = max(saved(prompts, order, 1) for order in all_orders(len(rows), len(rows[0])))
    assert tokens == most.tokens == reused
    assert seconds == pytest.approx(most.seconds)
