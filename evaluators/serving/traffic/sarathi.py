"""The two data sets of Sarathi-Serve: chats with long answers, and summaries of papers.

Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve" (OSDI 2024), table 2: medians
as given there, spreads from its 90 % quantiles, outliers removed as there. (Its standard deviation of the answers of
the first, 101 tokens, does not go with their median and quantile.) Arrivals are Poisson.
"""

from __future__ import annotations

from evaluators.serving.traffic.lengths import Lognormal
from evaluators.serving.traffic.stream import Traffic

CHAT = Traffic("openchat-sharegpt4", Lognormal(1730, 0.930, high=7168), Lognormal(415, 0.545, high=1024))
PAPERS = Traffic("arxiv-summarization", Lognormal(7059, 0.476, high=14336), Lognormal(208, 0.452, high=1024))
