"""Offline transaction scheduling: in which order a batch is executed.

Reading order: `interface` (what a policy does) -> `makespan` (how long its order takes) -> `bound` (what no order
beats) -> `workloads` (which batches) -> `evaluator` (the score).
"""

from evaluators.transactions.scheduling.evaluator import TransactionScheduling

__all__ = ["TransactionScheduling"]
