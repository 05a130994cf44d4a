"""What a run of an engine amounts to: a flat dict of finite floats, the unit at the end of each name.

Times to admission (`queue`), to the first token (`ttft`), per output token after the first (`tpot`, a request's mean)
and end to end (`e2e`) are over requests; times between tokens (`tbt`) over tokens. What does not exist (a time between
tokens where every answer has one token, anything of an empty run) is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.engine.fairness import Served, service_gap
from evaluators.serving.engine.recorder import Recorder

Columns = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]

QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


def metrics_of(recorder: Recorder, kv_blocks: int, gpus: int = 1, instances: int = 1) -> dict[str, float]:
    """Everything that a recorder tells.

    Args:
        recorder: Of one instance, or shared by several alike.
        kv_blocks: The KV cache of one instance.
        gpus: Of one instance; energy is that of the GPUs while they compute.
        instances: That share the recorder.

    Returns:
        `span_s` is the time from the first arrival to the last token; rates are per second of it. `busy` and `kv_use`
        are shares of the instances' time and of the KV cache while they compute. `slo_attainment` is the share of
        requests whose first token and whose every token gap came within their SLOs, and goodput their rate.
        `energy_joules_per_token` is per token of prompts and answers together. `service_gap_tokens`: see `fairness`.
    """
    columns: Columns = recorder.columns()
    arrival, finished = columns["arrival"], columns["finished_at"]
    output = columns["output_tokens"]
    span = float(finished.max() - arrival.min()) if recorder.finished else 0.0
    ttft = columns["first_token_at"] - arrival
    decoded = output > 1
    tpot = (finished - columns["first_token_at"])[decoded] / (output[decoded] - 1)
    served_well = attained(columns)
    tokens = float(output.sum() + columns["prompt_tokens"].sum())
    return {
        **distribution("ttft", ttft),
        **gaps_of(recorder),
        **distribution("tpot", tpot),
        **distribution("e2e", finished - arrival),
        **distribution("queue", columns["admitted_at"] - arrival),
        "span_s": span,
        "throughput_requests_per_s": _per(recorder.finished, span),
        "throughput_tokens_per_s": _per(float(output.sum()), span),
        "goodput_requests_per_s": _per(float(served_well.sum()), span),
        "slo_attainment": _per(float(served_well.sum()), recorder.finished),
        "preemptions_per_request": _per(float(columns["preemptions"].sum()), recorder.finished),
        "recomputed_share": _per(float(columns["recomputed_tokens"].sum()), recorder.computed_tokens),
        "cached_share": _per(float(columns["cached_tokens"].sum()), float(columns["prompt_tokens"].sum())),
        "busy": _per(recorder.busy, span * instances),
        "kv_use": _per(recorder.block_seconds, recorder.busy * kv_blocks),
        "energy_joules_per_token": _per(recorder.joules, tokens),
        "power_watts_per_gpu": _per(recorder.joules, recorder.busy * gpus),
        "service_gap_tokens": service_gap(Served(*(columns[each.name] for each in fields(Served)))),
    }


def joules_with_idle(recorder: Recorder, idle_watts: float, seconds: float) -> float:
    """What instances draw that are switched on for so many seconds in all: while they compute, and while not."""
    return recorder.joules + idle_watts * (seconds - recorder.busy)


def attained(columns: Columns) -> npt.NDArray[np.bool_]:
    """Whether each request of a recorder's columns was served within its SLOs: bool [requests]."""
    in_time = columns["first_token_at"] - columns["arrival"] <= columns["ttft_slo"]
    return np.asarray(in_time & (columns["largest_gap"] <= columns["tbt_slo"]))


def distribution(name: str, seconds: Floats) -> dict[str, float]:
    """Mean and quantiles, each `{name}_{which}_s`; linear between order statistics."""
    if not seconds.size:
        return dict.fromkeys(_names(name), 0.0)
    values = (seconds.mean(), *np.quantile(seconds, list(QUANTILES.values())))
    return dict(zip(_names(name), map(float, values), strict=True))


def gaps_of(recorder: Recorder) -> dict[str, float]:
    """The time between tokens: its quantiles are those of a histogram, right to 0.25 %."""
    gaps = recorder.gaps
    values = (gaps.mean, *map(gaps.quantile, QUANTILES.values()))
    return dict(zip(_names("tbt"), values, strict=True))


def _names(name: str) -> list[str]:
    return [f"{name}_{which}_s" for which in ("mean", *QUANTILES)]


def _per(value: float, of: float) -> float:
    return float(value / of) if of else 0.0
