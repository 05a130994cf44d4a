"""MoE expert placement: where the replicas of a mixture-of-experts model's experts live, and when they move.

Reading order: `interface` (what a policy does) -> `timeline` (how its answers are lived through) -> `cost` (what a step
takes) -> `bound` (what no placement beats) -> `routing`, `traffic`, `history` (where the loads come from).
"""

from evaluators.moe.evaluator import ExpertPlacement

__all__ = ["ExpertPlacement"]
