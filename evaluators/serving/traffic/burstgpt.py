"""Traffic as the BurstGPT workload generator models it: Gamma gaps and Zipf lengths.

Wang et al., "BurstGPT: A Real-World Workload Dataset to Optimize LLM Serving Systems", 2024 (arXiv 2401.17644), whose
generator ("modeled scaling") draws the gaps between requests from a Gamma and the lengths from a Zipf distribution. The
values are the defaults of its code (github.com/HPMLL/BurstGPT, example/, commit 01131e1): shape 0.5, exponent 1.1, at
most 1,024 tokens. The recorded trace itself is read by `loaders.burstgpt`.
"""

from __future__ import annotations

from evaluators.serving.traffic.arrivals import Gamma
from evaluators.serving.traffic.lengths import Zipf
from evaluators.serving.traffic.stream import Traffic

SHAPE = 0.5
EXPONENT = 1.1
LONGEST = 1023

BURSTGPT = Traffic("burstgpt", Zipf(EXPONENT, LONGEST), Zipf(EXPONENT, LONGEST), Gamma(cv=SHAPE**-0.5))
