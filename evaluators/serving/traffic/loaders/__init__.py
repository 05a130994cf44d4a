"""Recorded traces in public formats: Azure LLM inference CSV, BurstGPT CSV, Mooncake JSONL; plain or gzip.

`load` recognises the format by the first line. A format's module yields the rows of a file as `Row`s, in bounded
memory; `selection` says which of them become requests and how fast they arrive.
"""

from evaluators.serving.traffic.loaders.load import load, load_options
from evaluators.serving.traffic.loaders.selection import Selection

__all__ = ["Selection", "load", "load_options"]
