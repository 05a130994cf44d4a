"""LLM queries over tables: rows become prompts, and the order of rows and fields decides how much KV cache is reused.

Reading order: `interface` (what a policy does) -> `prompts` (what its answer turns into) -> `cache` (how an engine
lives through it) -> `prices` (what that costs) -> `bound` (what no order beats) -> `hits` (the literature's own
metrics) -> `workloads`, `schemas`, `generated` (where tables come from).
"""

from evaluators.llm_sql.evaluator import QueryReordering

__all__ = ["QueryReordering"]
