"""LLM serving: what an engine computes next, which engine serves a request, and whose KV cache is kept.

Reading order: `request` (what arrives) -> `cost` (what an iteration takes) -> `engine` (how an engine lives:
`instance`, `decoding`, `blocks`, `cache`, `vllm`) -> `traffic` (where requests come from) -> the problems: `batching`,
`moe_prefill`, `cluster`, `agents`.
"""
