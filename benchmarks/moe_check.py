"""How far the cost model of MoE expert placement is from measured kernels.

    python benchmarks/moe_check.py

Compares `evaluators.moe.cost` with the H100 tables that ship with NVIDIA's aiconfigurator-core (the extra `gpu`) and
with the inter-node table that DeepEP publishes (github.com/deepseek-ai/DeepEP, docs/legacy.md). The efficiencies in
`evaluators.moe.hardware` were read off the same tables, so this shows the fit, not a forecast.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluators.moe.cost import CostModel
from evaluators.moe.hardware import Cluster
from evaluators.moe.shapes import SHAPES

NUMBER = re.compile(r"\d+")

# DeepEP low-latency kernels, 128 tokens a GPU, hidden 7168, top-8: GPUs -> microseconds of dispatch, combine
DEEPEP_LOW_LATENCY = {16: (118, 195), 32: (155, 273), 64: (173, 314), 128: (192, 369)}


@dataclass(frozen=True)
class Row:
    kernel: str
    case: str
    measured: float  # microseconds
    model: float

    @property
    def deviation(self) -> float:
        return self.model / self.measured - 1


def main() -> int:
    found = importlib.util.find_spec("aiconfigurator_core")
    if found is None or not found.submodule_search_locations:
        print("aiconfigurator-core is not installed: pip install 'adrs-toolkit[gpu]'", file=sys.stderr)
        return 1
    tables = Path(found.submodule_search_locations[0]) / "systems" / "data" / "h100_sxm"
    rows = [*experts_vllm(tables), *experts_sglang(tables), *low_latency(tables), *normal(tables), *published()]
    report(rows)
    return 0


def experts_vllm(tables: Path) -> Iterator[Row]:
    """All experts on one GPU, tokens spread evenly."""
    table = newest(tables / "moe" / "vllm", "moe_perf.parquet")
    for name in ("qwen3-30b-a3b", "mixtral-8x7b"):
        model = SHAPES[name]
        cost = CostModel(model, Cluster(1, 1))
        same = table[
            (table.moe_dtype == "bfloat16") & (table.hidden_size == model.hidden) & (table.distribution == "balanced")
            & (table.inter_size == model.intermediate) & (table.num_experts == model.experts)
            & (table.moe_tp_size == 1) & (table.moe_ep_size == 1)
            & table.num_tokens.isin([8, 32, 128, 1024, 4096, 16384])
        ]  # fmt: skip
        for tokens, latency in same.groupby("num_tokens").latency.min().items():
            loads = even(int(tokens) * model.top_k, model.experts)
            yield Row(
                f"experts, vLLM, {name}", f"{tokens} tokens", latency * 1e3, cost.replica_seconds(loads).sum() * 1e6
            )


def experts_sglang(tables: Path) -> Iterator[Row]:
    """DeepSeek-V3's experts of one of 32 GPUs, tokens spread evenly."""
    model = SHAPES["deepseek-v3"]
    cost = CostModel(model, Cluster(4, 8))
    for phase, sizes in (("generation", [128, 1024, 4096]), ("context", [16384, 65536, 262144])):
        table = newest(tables / "moe" / "sglang", f"wideep_{phase}_moe_perf.parquet")
        same = table[
            (table.distribution == "uniform") & (table.moe_ep_size == 32) & (table.num_experts == model.experts)
            & (table.hidden_size == model.hidden) & table.num_tokens.isin(sizes)
        ]  # fmt: skip
        for tokens, latency in same.groupby("num_tokens").latency.min().items():
            loads = even(int(tokens) * model.top_k, model.experts)[: model.experts // 32]
            model_time = cost.replica_seconds(loads).sum() * 1e6
            yield Row(f"experts, SGLang {phase}, deepseek-v3 EP32", f"{tokens} tokens", latency * 1e3, model_time)


def low_latency(tables: Path) -> Iterator[Row]:
    """DeepEP low-latency kernels inside one node of eight GPUs, `tokens` a GPU."""
    model = SHAPES["deepseek-v3"]
    cost = CostModel(model, Cluster(1, 8))
    table = newest(tables / "comm" / "sglang", "wideep_deepep_ll_perf.parquet")
    same = table[(table.node_num == 1) & (table.hidden_size == model.hidden) & (table.num_experts == model.experts)]
    for row in same[same.num_token.isin([8, 32, 128, 512])].itertuples():
        copies = np.array(int(row.num_token) * model.top_k)
        measured = float(row.dispatch_avg_t_us + row.combine_avg_t_us)
        yield Row(
            "low latency, EP8", f"{row.num_token} tokens a GPU", measured, float(cost.low_latency_seconds(copies)) * 1e6
        )


def normal(tables: Path) -> Iterator[Row]:
    """DeepEP normal kernels inside one node, with the 24 SMs that SGLang gives them."""
    model = SHAPES["deepseek-v3"]
    cost = CostModel(model, Cluster(1, 8))
    table = newest(tables / "comm" / "sglang", "wideep_deepep_normal_perf.parquet")
    same = table[
        (table.node_num == 1) & (table.hidden_size == model.hidden) & (table.num_experts == model.experts)
        & (table.dispatch_sms == 24) & table.num_token.isin([128, 1024, 4096])
    ]  # fmt: skip
    for row in same.itertuples():
        copies = np.array(int(row.num_token) * model.top_k)
        measured = float(row.dispatch_transmit_us + row.combine_transmit_us)
        model_time = float(cost.normal_seconds(copies, np.array(row.num_token * 8.0))) * 1e6
        yield Row("normal, EP8", f"{row.num_token} tokens a GPU", measured, model_time)


def published() -> Iterator[Row]:
    """DeepEP's own inter-node figures."""
    model = SHAPES["deepseek-v3"]
    for gpus, (dispatch, combine) in DEEPEP_LOW_LATENCY.items():
        cost = CostModel(model, Cluster(gpus // 8, 8))
        time = float(cost.low_latency_seconds(np.array(128 * model.top_k))) * 1e6
        yield Row(f"low latency, EP{gpus} (DeepEP's table)", "128 tokens a GPU", dispatch + combine, time)


def even(assignments: int, experts: int) -> np.ndarray:
    return assignments // experts + (np.arange(experts) < assignments % experts)


def newest(folder: Path, name: str) -> pd.DataFrame:
    versions = sorted(folder.glob(f"*/{name}"), key=lambda path: [int(n) for n in NUMBER.findall(path.parent.name)])
    if not versions:
        raise SystemExit(f"{folder}: no {name}; is aiconfigurator-core 0.12 or newer installed?")
    return pd.read_parquet(versions[-1])


def report(rows: list[Row]) -> None:
    print(f"{'kernel':44} {'case':20} {'measured us':>12} {'model us':>10} {'deviation':>10}")
    for row in rows:
        print(f"{row.kernel:44} {row.case:20} {row.measured:12.0f} {row.model:10.0f} {row.deviation:+10.0%}")
    errors = [abs(row.deviation) for row in rows]
    print(f"mean absolute deviation {np.mean(errors):.0%}, largest {max(errors):.0%}, {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
