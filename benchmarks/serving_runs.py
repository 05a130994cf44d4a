"""Recorded runs of a real vLLM, and the same requests through the simulator.

A run is a folder as LLMServingSim publishes it (MIT, casys-kaist/LLMServingSim, bench/): `requests.jsonl` (lengths, and
when each request was queued and made its first and last token), `timeseries.csv` (running and waiting requests, second
by second), `meta.json` (the engine's configuration) and `config.json` (GPUs, their memory and link). Its GPU's layer
profile lies in another folder; see evaluators/serving/cost/layerwise.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from adrs.errors import InputError
from evaluators.serving.cost.deployment import BLOCK_TOKENS, MEMORY_SHARE, Deployment, Limits, kv_blocks
from evaluators.serving.cost.gpus import GIB, Gpu, find_gpu
from evaluators.serving.cost.layerwise import Link, profile_subject, read_layers
from evaluators.serving.cost.measurements import Measurements
from evaluators.serving.cost.models import Model, recognise_model
from evaluators.serving.cost.power import serving_power
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request, Segment

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# NCCL's all-reduce between two RTX PRO 6000 over PCIe 5, as LLMServingSim measured it (profiler/perf/RTXPRO6000,
# hardware.yaml): 12.7 us for 4 KiB, 41 us for 1 MiB, 471 us for 16 MiB. The link in a run's configuration is not used:
# it was fitted to another simulator.
LINK_SECONDS, LINK_SHARE = 6.6e-6, 0.72  # of what a copy to the host reaches


@dataclass(frozen=True)
class Host:
    """Seconds of host work: once a step, and for each scheduled sequence."""

    step: float
    sequence: float


@dataclass(frozen=True)
class Outcome:
    """What happened to the requests of a run, in their order; seconds since the run's clock started.

    Args:
        running: Requests that ran, at the run's ticks; `waiting` likewise.
    """

    arrival: Floats
    first: Floats
    last: Floats
    outputs: Integers
    running: Floats
    waiting: Floats

    @property
    def ttft(self) -> Floats:
        return self.first - self.arrival

    @property
    def tpot(self) -> Floats:
        return (self.last - self.first) / np.maximum(self.outputs - 1, 1)

    @property
    def e2e(self) -> Floats:
        return self.last - self.arrival

    @property
    def makespan(self) -> float:
        return float(self.last.max() - self.arrival.min())


@dataclass(frozen=True)
class Setup:
    """The engine of a run.

    Args:
        kv_recorded: Whether it wrote down its KV blocks; otherwise they are derived from its memory.
    """

    model: Model
    measured: Measurements
    deployment: Deployment
    kv_recorded: bool
    prefix_cache: bool


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Args:
        kv_use: Share of the KV cache in use, at the ticks; all 0 where the engine did not say.
        prompts: Tokens of each request.
    """

    name: str
    setup: Setup
    ticks: Floats
    kv_use: Floats
    prompts: Integers
    truth: Outcome


def load_run(folder: Path, profiles: Sequence[Path], model: Model | None = None) -> Run:
    """A run with the layer profile of its model on its GPU.

    Args:
        profiles: Somewhere below them lie the profile folders.
        model: Where it is not one that is known by name.

    Raises:
        InputError: A file is missing or not of the form, or no profile fits.
    """
    nested = not (folder / "config.json").is_file() and (folder.parent / "config.json").is_file()
    around = folder.parent if nested else folder  # in its repository, what vLLM wrote lies in a folder of its own
    meta, config = _json(folder / "meta.json"), _json(around / "config.json")
    setup = _set_up(meta, _only_instance(around, config), profiles, model)
    series, requests = _table(folder / "timeseries.csv"), _requests(folder)
    return Run(
        name=f"{around.parent.name}-{around.name}" if nested else folder.name,
        setup=setup,
        ticks=series["t"].to_numpy(float),
        kv_use=series["kv_cache_pct"].to_numpy(float) / 100,
        prompts=requests["input_toks"].to_numpy(int),
        truth=_truth(requests, series),
    )


def _set_up(
    meta: Mapping[str, Any], instance: Mapping[str, Any], profiles: Sequence[Path], given: Model | None
) -> Setup:
    engine, cache = meta.get("engine_kwargs", {}), meta.get("kv_cache", {})
    name, hardware = str(instance.get("model_name") or meta.get("model")), str(instance["hardware"])
    model, gpu = given or recognise_model(name), find_gpu(hardware)
    gpus = int(instance.get("tp_size") or engine.get("tensor_parallel_size") or 1)
    limits = Limits(int(engine.get("max_num_batched_tokens") or 2048), int(engine.get("max_num_seqs") or 256))
    link = Link(LINK_SHARE * gpu.host_bytes_per_second, LINK_SECONDS)
    whole_experts = bool(engine.get("enable_expert_parallel"))
    measured = read_layers(_profile(profiles, hardware, name, gpus), model, gpus, link, whole_experts)
    recorded = int(cache.get("num_gpu_blocks") or 0)
    deployment = Deployment(
        name=f"{name} on {gpus} {hardware}",
        cost=measured.profile(),
        power=serving_power(gpu, gpus, mixture=model.experts > 0),
        kv_blocks=recorded or _derived_blocks(instance, model, gpu, gpus, limits),
        kv_token_bytes=model.kv_token_bytes,
        gpus=gpus,
        host_bytes_per_second=gpu.host_bytes_per_second * gpus,
        weight_bytes=model.weight_bytes,
        layers=model.layers,
        max_batch_tokens=limits.max_batch_tokens,
        max_sequences=limits.max_sequences,
    )
    return Setup(model, measured, deployment, recorded > 0, bool(cache.get("enable_prefix_caching", True)))


def simulate(run: Run, host: Host) -> tuple[Outcome, Floats]:
    """The run's requests through the simulator, and the share of KV blocks in use at the ticks.

    Prompts share nothing, but with a prefix cache a preempted request finds what is left of its own KV.
    """
    setup = run.setup
    cost = replace(setup.measured, step=host.step, sequence=host.sequence).profile()
    deployment = replace(setup.deployment, cost=cost)
    recorder = Recorder()
    cache = PrefixCache(deployment.block_size) if setup.prefix_cache else None
    instance = Instance(deployment, VllmV1(), recorder, cache)
    truth = run.truth
    requests = [
        Request(i, float(at), int(prompt), int(output), prefix=(Segment(i, int(prompt)),))
        for i, (at, prompt, output) in enumerate(zip(truth.arrival, run.prompts, truth.outputs, strict=True))
    ]
    events = sorted(
        [(request.arrival, 0, request) for request in requests] + [(t, 1, None) for t in run.ticks], key=_when
    )
    seen = []
    for now, _, request in events:
        instance.advance(now)
        if request is not None:
            instance.submit(request, now)
        else:
            seen.append((len(instance.running), len(instance.waiting), instance.kv.in_use / instance.kv.total))
    instance.drain()
    running, waiting, use = np.array(seen, dtype=float).T
    columns = recorder.columns()
    order = np.argsort(columns["id"])
    first, last = columns["first_token_at"][order], columns["finished_at"][order]
    return Outcome(truth.arrival, first, last, truth.outputs, running, waiting), use


def _when(event: tuple[float, int, Request | None]) -> tuple[float, int]:
    return event[0], event[1]


def fit_host(run: Run, with_step: bool) -> Host:
    """The host's constants, none below 0, that bring the logarithms of the end-to-end latencies nearest to the run's.

    Args:
        with_step: Both constants; otherwise only that of a sequence, and none a step.
    """
    scales = np.array([1e-3, 1e-5]) if with_step else np.array([0.0, 1e-5])
    found, best = np.zeros(2), _distance(run, np.zeros(2))
    span = 2.0
    while span > 0.02:  # a pattern search: the distance is not smooth, as schedules flip
        around = [
            np.maximum(found + span * scales * np.array(step), 0.0) for step in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        distances = [_distance(run, each) for each in around]
        if min(distances) < best:
            best = min(distances)
            found = around[distances.index(best)]
        else:
            span /= 2
    return Host(*map(float, found))


def _distance(run: Run, constants: Floats) -> float:
    outcome, _ = simulate(run, Host(*constants))
    return float(np.square(np.log(outcome.e2e / run.truth.e2e)).mean())


def _only_instance(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    instances = [each for node in config.get("nodes", ()) for each in node.get("instances", ())]
    copies = sum(int(node.get("num_instances", 1)) for node in config.get("nodes", ()))
    if len(instances) != 1 or copies != 1 or instances[0].get("pd_type"):
        raise InputError(
            f"{folder / 'config.json'}: expected one instance that prefills and decodes; others are not read"
        )
    instance: Mapping[str, Any] = instances[0]
    return instance


def _derived_blocks(instance: Mapping[str, Any], model: Model, gpu: Gpu, gpus: int, limits: Limits) -> int:
    """From the card's memory, as for any deployment; less where the configuration gives the engine less of it."""
    memory = instance.get("npu_mem", {})
    blocks = kv_blocks(model, gpu, gpus, limits)
    if not memory.get("mem_size"):
        return blocks
    usable = gpus * GIB * float(memory["mem_size"]) * float(memory.get("mem_util", MEMORY_SHARE))
    return min(blocks, int((usable - model.weight_bytes) // (BLOCK_TOKENS * model.kv_token_bytes)))


def _profile(profiles: Sequence[Path], hardware: str, model: str, gpus: int) -> Path:
    """The folder of the model's profile on a GPU, by the meta.yaml in it."""
    folders = [path.parent for below in profiles for path in sorted(below.rglob("meta.yaml"))]
    fitting = [folder for folder in folders if profile_subject(folder) == (hardware, model)]
    found = next((folder for folder in fitting if (folder / f"tp{gpus}").is_dir()), None)
    if found is None:
        where = ", ".join(map(str, profiles))
        raise InputError(f"{where}: no profile of {model} on {gpus} {hardware}; expected meta.yaml beside tp{gpus}/")
    return found


def _requests(folder: Path) -> pd.DataFrame:
    paths = (folder / "requests.jsonl", folder / "requests.jsonl.gz")
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise InputError(f"{paths[0]}: no such file; expected the requests of the run")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        requests = pd.DataFrame([json.loads(line) for line in file])
    wanted = ("input_toks", "output_toks", "arrival_time", "queued_ts", "first_token_ts", "last_token_ts")
    missing = [name for name in wanted if name not in requests]
    if missing:
        raise InputError(f"{path}: no field {missing[0]!r}; expected {', '.join(wanted)}")
    return requests.dropna(subset=list(wanted)).sort_values("queued_ts", kind="stable")


def _truth(requests: pd.DataFrame, series: pd.DataFrame) -> Outcome:
    start = float(requests["queued_ts"].min())
    at = {name: requests[name].to_numpy(float) - start for name in ("queued_ts", "first_token_ts", "last_token_ts")}
    return Outcome(
        at["queued_ts"],
        at["first_token_ts"],
        at["last_token_ts"],
        requests["output_toks"].to_numpy(int),
        series["running"].to_numpy(float),
        series["waiting"].to_numpy(float),
    )


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; expected a CSV file") from error


def _json(path: Path) -> Mapping[str, Any]:
    try:
        loaded: Mapping[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; expected JSON") from error
    return loaded
