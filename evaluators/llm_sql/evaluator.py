"""The evaluator: tables, the replay of an order, and its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from adrs.errors import InputError
from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Reference, Split, Workload
from evaluators.llm_sql.bound import Most, most_reused
from evaluators.llm_sql.cache import replay
from evaluators.llm_sql.generated import generate
from evaluators.llm_sql.hits import prefix_hit_share, trie_hit_rate
from evaluators.llm_sql.prices import LLAMA_8B_H100
from evaluators.llm_sql.prompts import Ints, Order, Prompts, check_order
from evaluators.llm_sql.recorded import PackagedTables, UserTable
from evaluators.llm_sql.schemas import SCHEMAS
from evaluators.llm_sql.table import Table
from evaluators.llm_sql.workloads import CACHE_SHARE, Scenario, list_workloads, scenario_of

BLOCK_TOKENS = 16  # vLLM's default
PRICE = LLAMA_8B_H100
YARDSTICK = Path(__file__).with_name("yardstick.py")
REFERENCE = Scenario("orders", 1000, 0)  # the table that the yardstick orders
REFERENCE_SECONDS = 0.0125  # on a core of an AMD EPYC, undisturbed: `python benchmarks/llm_sql_yardstick.py`


@dataclass(frozen=True)
class Case:
    """A table ready to be queried through a cache of `cache_blocks` blocks."""

    table: Table
    prompts: Prompts
    cache_blocks: int

    @cached_property
    def row_tokens(self) -> Ints:
        """[rows]. Tokens of each prompt, the instruction's aside."""
        return np.asarray(self.prompts.tokens.sum(axis=1))

    @cached_property
    def seconds(self) -> float:
        """Prefill seconds without a cache, the instruction's aside."""
        return self.seconds_left(self.row_tokens, np.zeros_like(self.row_tokens))

    def reused(self, order: Order) -> Ints:
        """[rows], in the order sent: tokens behind the instruction that each prompt finds in the cache."""
        hits = replay(self.prompts.ordered(order), self.cache_blocks, BLOCK_TOKENS)
        return (hits - self.prompts.instruction_tokens).clip(min=0)

    def seconds_left(self, tokens: Ints, reused: Ints) -> float:
        """Prefill seconds of prompts with so many tokens behind the instruction, of which so many are reused."""
        return PRICE.seconds(self.prompts.instruction_tokens + reused, tokens - reused)

    @cached_property
    def most(self) -> Most:
        """What no order exceeds."""
        return most_reused(self.prompts, PRICE, BLOCK_TOKENS)


class QueryReordering:
    """Policies that order the rows of a table, and the fields of each row, before an LLM is asked about each row.

    Args:
        packaged: Score on real tables that packages carry instead of generated ones; see `evaluators.llm_sql.packaged`.
        table: Score on a table of your own instead; see `evaluators.llm_sql.recorded`.

    Raises:
        InputError: options, packages or a file that cannot be used.
    """

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, packaged: bool = False, table: dict[str, Any] | None = None) -> None:
        if not isinstance(packaged, bool):
            raise InputError(f"options.packaged: expected true or false, got {packaged!r}")
        if packaged and table is not None:
            raise InputError("options: give either 'packaged' or 'table', not both")
        self._recorded = PackagedTables() if packaged else None if table is None else UserTable(table)
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `evaluators.llm_sql.workloads`; of other tables, the stretches kept for the split."""
        return list_workloads(split, salt) if self._recorded is None else self._recorded.listed(split)

    @property
    def reference(self) -> Reference:
        """The yardstick that times are measured against; see `adrs.evaluation.protocol.Reference`."""
        workload = Workload("yardstick", "yardstick", "yardstick", asdict(REFERENCE))
        return Reference(YARDSTICK.read_text(encoding="utf-8"), workload, REFERENCE_SECONDS)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Ask for an order, replay its prompts through the cache and price what is left to compute.

        Raises:
            WrongAnswer: the answer is no order of all rows and all fields.
        """
        case = self._case(workload)
        table = case.table
        answer = policy.call(
            "reorder",
            list(table.columns),
            [list(row) for row in table.rows],
            [list(determined) for determined in table.dependencies],
            case.prompts.tokens.copy(),
            case.prompts.instruction_tokens,
            BLOCK_TOKENS,
            case.cache_blocks,
        )
        order = check_order(answer, len(table.rows), len(table.columns))
        reused = case.reused(order)
        saved = case.seconds - case.seconds_left(case.row_tokens[order.rows], reused)
        return {
            "saved_share": saved / case.seconds,
            "token_hit_rate": int(reused.sum()) / int(case.row_tokens.sum()),
            "trie_hit_rate": trie_hit_rate(table, order),
            "prefix_hit_share": prefix_hit_share(table, order),
            "saved_seconds": saved,
            "prefill_seconds": case.seconds,
        }

    def timed(self, workload: Workload, metrics: Metrics, seconds: float) -> Metrics:
        """Adds what is left of the saving when the GPU waits for the plan."""
        net = (metrics["saved_seconds"] - seconds) / metrics["prefill_seconds"]
        return {**metrics, "net_saved_share": net, "planning_seconds": seconds}

    def bound(self, workload: Workload) -> Metrics:
        """See `evaluators.llm_sql.bound`; planning that takes no time for the net share."""
        case = self._case(workload)
        share = case.most.seconds / case.seconds
        return {
            "saved_share": share,
            "net_saved_share": share,
            "token_hit_rate": case.most.tokens / int(case.row_tokens.sum()),
            "saved_seconds": case.most.seconds,
        }

    def _case(self, workload: Workload) -> Case:
        if workload.hash not in self._cases:
            self._cases[workload.hash] = self._prepared(workload.parameters)
        return self._cases[workload.hash]

    def _prepared(self, parameters: Mapping[str, Any]) -> Case:
        if self._recorded is not None and "table" in parameters:
            table = self._recorded.stretch(parameters)
            return _case(table, CACHE_SHARE, self._recorded.cache_blocks)
        scenario = scenario_of(parameters)
        table = generate(SCHEMAS[scenario.schema], scenario.rows, scenario.sorted_by, scenario.seed)
        return _case(table, scenario.cache_share, None)


def _case(table: Table, cache_share: float, cache_blocks: int | None) -> Case:
    """With a cache of so many blocks, or by default for this share of the fields' tokens, and at least any one prompt.

    Raises:
        InputError: so many blocks do not hold every prompt.
    """
    prompts = Prompts(table)
    totals = prompts.tokens.sum(axis=1)
    longest = -(-(prompts.instruction_tokens + int(totals.max())) // BLOCK_TOKENS)
    if cache_blocks is None:
        return Case(table, prompts, max(longest, int(totals.sum() * cache_share) // BLOCK_TOKENS))
    if cache_blocks < longest:
        raise InputError(
            f"options.table.cache_blocks: {cache_blocks} blocks do not hold a prompt; expected {longest} at least"
        )
    return Case(table, prompts, cache_blocks)
