"""Prefill by tokens and by layers, for mixtures of experts: see docs/problems/serving_moe_prefill.md."""

from evaluators.serving.moe_prefill.evaluator import ServingMoePrefill

__all__ = ["ServingMoePrefill"]
