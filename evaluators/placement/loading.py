"""How long it takes to load a model: measured rates by loader.

From the benchmark results that ServerlessLLM publishes (github.com/ServerlessLLM/ServerlessLLM, benchmarks/results,
commit 9f50241, Apache-2.0; the loader: Fu et al., "ServerlessLLM: Low-Latency Serverless Inference for Large Language
Models", OSDI 2024): BF16 checkpoints of Llama-3.1-8B (16.06 GB), Qwen3-32B (65.52 GB) and DeepSeek-R1-Distill-Qwen-32B
(65.53 GB) into one H100. A rate is the median over all loads of seconds / GB. "random" reads checkpoints in random
order from disk, "cached" the same one again from memory. Starting the engine and the first token are not in it.
"""

from __future__ import annotations

SECONDS_PER_GB: dict[str, float] = {
    "sllm-cached": 0.0181,
    "sllm-disk": 0.0493,
    "safetensors-cached": 0.173,
    "safetensors-disk": 0.287,
}
