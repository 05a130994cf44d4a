"""Azure's LLM inference services: conversations and code completion.

Calibrated with the Azure LLM inference traces of 2023 (github.com/Azure/AzurePublicDataset, Patel et al., "Splitwise",
ISCA 2024): one hour of each service. Tests and `benchmarks/serving_traffic.py` compare.
"""

from __future__ import annotations

from evaluators.serving.traffic.arrivals import Gamma
from evaluators.serving.traffic.lengths import Quantiles
from evaluators.serving.traffic.modulation import Drift, Product, Switching
from evaluators.serving.traffic.stream import Traffic

# 5.53 requests/s. Gaps are nearly those of a Poisson process (CV 1.09, within 5 minutes 1.04), but the counts of longer
# windows vary far more (index of dispersion 1.4 at 1 s, 3.9 at 10 s, 16 at 60 s), because the rate itself wanders
# between half and one and a half of its mean within the hour. Prompt and answer lengths are all but independent
# (correlation -0.11).
CONVERSATION = Traffic(
    "azure-conversation",
    prompts=Quantiles((
        (0.0, 2), (0.01, 29), (0.05, 181), (0.1, 207), (0.15, 372), (0.35, 414), (0.376, 429), (0.45, 984),
        (0.5, 1020), (0.7, 1130), (0.8, 1315), (0.9, 2734), (0.933, 4077), (0.99, 4142), (0.999, 6212), (1.0, 14050),
    )),
    answers=Quantiles((
        (0.0, 7), (0.01, 16), (0.05, 41), (0.2, 77), (0.45, 113), (0.5, 129), (0.65, 217), (0.7, 384), (0.9, 424),
        (0.95, 451), (0.99, 601), (0.999, 954), (1.0, 1000),
    )),
    gaps=Gamma(1.05),
    modulation=Drift(cv=0.24, seconds=600.0),
)  # fmt: skip

# 2.57 requests/s, of which the fullest second has 26 times as many; CV of gaps 13, index of dispersion 13 at 1 s, 71 at
# 10 s, 161 at 60 s. Silences of minutes make the first, bursts of seconds the others. Prompts: mean 2,048, p50 1,469,
# p90 5,188, p99 7,436, log-mean 7.00 and log-deviation 1.36, from which the lower quantiles are; answers: mean 28, p50
# 13, p90 55, p99 252; their quantiles between are such that the mean is met.
CODE = Traffic(
    "azure-code",
    prompts=Quantiles((
        (0.0, 3), (0.01, 46), (0.05, 117), (0.25, 438), (0.5, 1469), (0.9, 5188), (0.99, 7436), (1.0, 7437),
    )),
    answers=Quantiles((
        (0.0, 6), (0.05, 7), (0.25, 9), (0.5, 13), (0.75, 19), (0.9, 55), (0.95, 85), (0.99, 252), (0.999, 500),
        (1.0, 1899),
    )),
    modulation=Product(Drift(cv=1.85, seconds=9.0), Switching(share=0.72, seconds=450.0)),
)  # fmt: skip
