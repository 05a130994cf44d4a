"""Batching in one engine: what runs in the next iteration."""

from evaluators.serving.batching.evaluator import ServingBatching

__all__ = ["ServingBatching"]
