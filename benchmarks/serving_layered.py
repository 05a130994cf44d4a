"""Layered against chunked prefill in the set-up of the paper, predicted before the first run.

Lee et al., "From Tokens to Layers: Redefining Stall-Free Scheduling for LLM Serving with Layered Prefill" (MLSys 2026,
arXiv:2510.08055): Qwen3-30B-A3B on two H100 with tensor parallelism, summaries of arXiv papers (prompts of 9,194 tokens
on average, up to 32k) at 1.3 requests/s, and ShareGPT conversations (2,340 tokens), Poisson arrivals; chunks of 512
tokens against ceil(L / 512) groups of layers, both in order of arrival. Here: kernel times of aiconfigurator for two
GPUs (extra `gpu`) with the host work of the built-in profile, log-normal lengths of those means, 1,000 requests.

    python benchmarks/serving_layered.py

Reported by the paper, layered against chunked (its tables 6 to 8): arXiv at 1.3 requests/s: mean TTFT 2.80 -> 1.24 s
(-56 %), p99 TTFT 8.65 -> 4.10 s (-53 %), mean TBT -35 %, p99 TBT -27 %, end to end 9.4 -> 5.5 s (-41 %), bytes of
expert weights read -39 %, energy per token at the same rate -8 to -9 %. ShareGPT: expert weights -12 %.

Predicted here (written before any run, by hand from the built-in tables for one GPU, all kernel times halved and 1.2 ms
of all-reduce added; queue as M/G/1). An iteration with a chunk of 512 reads all experts and takes about 22 ms, one with
a group of a prompt's layers 13 ms, for the other layers read only the experts of some 4 decoding sequences, and one
that only decodes 9 ms. A prompt has 18 of them either way: 0.40 against 0.24 s, that is 52 against 31 % of the time at
1.3 requests/s.
  arXiv, 1.3 requests/s: mean TTFT -50 %, p99 TTFT -40 %, mean TBT -23 %, p99 TBT -30 %, end to end -29 %, expert
  weights -40 %, energy per token -13 %.
  ShareGPT, 4 requests/s: about 35 sequences decode and activate nine tenths of the experts if routing is uniform, so
  layers without a prompt save little: mean TTFT -27 %, expert weights no less than before (-2 to +5 %).

A control, predicted after these had been run but before its own run: of a dense model there is nothing to save, and
the layers that a group leaves out read their weights for the decodes alone. The paper: Qwen3-8B, mean TTFT 0.955 ->
1.45 s (+52 %; it is not known to us at which rate). Here, Llama-3.1-8B on one H100, arXiv at 1.3 requests/s: an
iteration with a chunk takes 12 ms, one with a group of layers 18 ms: mean TTFT +70 %.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from adrs.testing.direct import DirectPolicy
from evaluators.serving.cost.aiconfigurator import Source, measure
from evaluators.serving.cost.builtin import HOST
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.cost.models import find_model
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.serve import serve
from evaluators.serving.moe_prefill.asking import Asking
from evaluators.serving.moe_prefill.traffic import ExpertRecorder
from evaluators.serving.traffic.lengths import Lognormal
from evaluators.serving.traffic.stream import Traffic

SEEDS = Path(__file__).parents[1] / "seeds" / "serving_moe_prefill"
MODEL = "Qwen3-30B-A3B"
SHOWN = {
    "mean TTFT": ("ttft_mean_s", 1.0, "s"),
    "p99 TTFT": ("ttft_p99_s", 1.0, "s"),
    "mean TBT": ("tbt_mean_s", 1e3, "ms"),
    "p99 TBT": ("tbt_p99_s", 1e3, "ms"),
    "mean end to end": ("e2e_mean_s", 1.0, "s"),
    "energy per token": ("energy_joules_per_token", 1e3, "mJ"),
    "expert weights per request": ("expert_gigabytes", 1.0, "GB"),
}
NEVER = float("inf")


@dataclass(frozen=True)
class Setting:
    """A data set at a rate; requests are drawn with the seed."""

    name: str
    on: Deployment
    traffic: Traffic
    rate: float
    requests: int = 1000
    seed: int = 0


# The first 166 prompts of the arXiv trace that are not above 32k have a log-mean of 8.91 and a log-deviation of 0.64:
# mean 8,982. Answers 231. ShareGPT: the mean of 2,340 with the spread of Sarathi-Serve's quantiles; answers 438.
ARXIV = Traffic("arxiv", Lognormal(7500, 0.644, 64, 32_000), Lognormal(208, 0.45, 2, 1024))
SHAREGPT = Traffic("sharegpt", Lognormal(1520, 0.93, 16, 32_000), Lognormal(380, 0.54, 2, 2048))
LIMITS = Limits(max_batch_tokens=8192 + 256, max_sequences=256)  # the authors' 8,192, and the decodes


def main() -> None:
    host = HOST[MODEL]
    times = measure(Source("Qwen/Qwen3-30B-A3B", "h100_sxm", 2), host.step / 1000, host.sequence / 1000)
    qwen = deployment(MODEL, "H100", 2, cost=times.profile(), limits=LIMITS)
    dense = deployment("Llama-3.1-8B", "H100", limits=LIMITS)
    for setting in (
        Setting("arXiv", qwen, ARXIV, 1.3),
        Setting("ShareGPT", qwen, SHAREGPT, 4.0),
        Setting("arXiv, dense", dense, ARXIV, 1.3),
    ):
        report(setting, run(setting, "chunked", "BUDGET = 512"), run(setting, "layered_chunks", "CHUNK = 8192"))


def report(setting: Setting, chunked: dict[str, float], layered: dict[str, float]) -> None:
    print(f"{setting.name}: {setting.rate} requests/s, {setting.requests} requests on {setting.on.name}")
    for label, (name, unit, suffix) in SHOWN.items():
        before, after = chunked[name] * unit, layered[name] * unit
        change = f"{100 * (after / before - 1):+6.0f} %" if before else ""
        print(f"  {label:28}{before:9.2f} ->{after:9.2f} {suffix:3}{change}")


def run(setting: Setting, name: str, constant: str) -> dict[str, float]:
    """Serve the setting's requests with a policy of the problem, one constant of it set."""
    text = (SEEDS / f"{name}.py").read_text()
    source = re.sub(rf"^{constant.split()[0]} = \d+", constant, text, flags=re.M)
    requests = list(setting.traffic.requests(setting.rate, setting.seed, count=setting.requests))
    recorder = ExpertRecorder(find_model(setting.on.name.split()[0]))
    asking = Asking(DirectPolicy.from_source(source), requests[0], NEVER, 1000 * len(requests))
    serve(Instance(setting.on, asking, recorder), requests)
    per_request = recorder.expert_bytes / 1e9 / len(requests)
    return metrics_of(recorder, setting.on.kv_blocks, setting.on.gpus) | {"expert_gigabytes": per_request}


if __name__ == "__main__":
    main()
