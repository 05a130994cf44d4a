"""LLM serving: what an engine computes next, which engine serves a request, and whose KV cache is kept.

Reading order: `request` (what arrives) -> `cost` (what an iteration takes) -> `engine` (how an engine lives:
`instance`, `decoding`, `blocks`, `cache`, `vllm`) -> `traffic` (where requests come from) -> `slo` (what is promised)
-> `recorded` (a user's own trace and profile) -> the problems: `batching`, `moe_prefill`, `cluster`, `agents`.
"""

from evaluators.serving.agents import ServingAgents
from evaluators.serving.batching import ServingBatching
from evaluators.serving.cluster import ServingCluster
from evaluators.serving.moe_prefill import ServingMoePrefill

__all__ = ["ServingAgents", "ServingBatching", "ServingCluster", "ServingMoePrefill"]
