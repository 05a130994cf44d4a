"""Recorded runs through the simulator: what it reads, finds and refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from adrs.errors import InputError

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "llmservingsim"
STEP, SEQUENCE = 2e-3, 40e-6  # the host that made the run below

CONFIG = {"nodes": [{"num_instances": 1, "instances": [{
    "model_name": "Qwen/Qwen3-30B-A3B-Instruct-2507", "hardware": "RTXPRO6000", "tp_size": 2, "pd_type": None,
    "npu_mem": {"mem_size": 96, "mem_util": 0.9}}]}]}  # fmt: skip
META: dict[str, Any] = {
    "model": "Qwen/Qwen3-30B-A3B-Instruct-2507",
    "engine_kwargs": {"tensor_parallel_size": 2, "max_num_seqs": 64, "max_num_batched_tokens": 1024},
}


@pytest.fixture(scope="module")
def runs() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import serving_runs
    finally:
        sys.path.pop(0)
    return serving_runs


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A run of a mixture on two GPUs, whose times are not filled in yet, and the profile of its GPU."""
    profile, run = tmp_path / "profiles" / "RTXPRO6000" / "Qwen" / "bf16", tmp_path / "truth" / "run"
    for gpus in (1, 2):
        (profile / f"tp{gpus}").mkdir(parents=True)
        for name, text in TABLES.items():
            (profile / f"tp{gpus}" / f"{name}.csv").write_text(text)
    (profile / "tp1" / "moe.csv").write_text(
        "tokens,activated_experts,time_us\n1,8,50\n64,8,70\n64,128,830\n2048,128,1100\n"
    )
    (profile / "meta.yaml").write_text("hardware: RTXPRO6000\nmodel: Qwen/Qwen3-30B-A3B-Instruct-2507\n")
    run.mkdir(parents=True)
    rng = np.random.default_rng(3)
    requests = [
        {"input_toks": int(rng.integers(50, 900)), "output_toks": int(rng.integers(20, 200)), "arrival_time": at,
         "queued_ts": 100 + at, "first_token_ts": 101 + at, "last_token_ts": 102 + at}
        for at in np.sort(rng.uniform(0, 3, 40))
    ]  # fmt: skip
    write_requests(run, requests)
    series = "\n".join(f"{t}.0,0,0,0,0,0.0" for t in range(1, 12))
    (run / "timeseries.csv").write_text(f"t,prompt_throughput,gen_throughput,running,waiting,kv_cache_pct\n{series}\n")
    (run / "meta.json").write_text(json.dumps(META))
    (run / "config.json").write_text(json.dumps(CONFIG))
    return run, tmp_path / "profiles"


TABLES = {
    "dense": "layer,tokens,time_us\nqkv_proj,1,20\nqkv_proj,2048,260\n",
    "per_sequence": "layer,sequences,time_us\nlm_head,1,400\nlm_head,256,500\n",
    "attention": "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n"
    "0,0,1,1000,8\n0,0,10,1000,35\n0,0,20,500,45\n100,0,0,0,15\n100,300,0,0,75\n100,0,4,1000,35\n",
}


def write_requests(run: Path, requests: list[dict[str, Any]]) -> None:
    (run / "requests.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))


def record(runs: ModuleType, folder: Path, profiles: Path) -> None:
    """Fill in the times that a host of known speed would have made."""
    outcome, _ = runs.simulate(runs.load_run(folder, [profiles]), runs.Host(STEP, SEQUENCE))
    rows = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
    for row, first, last in zip(rows, outcome.first, outcome.last, strict=True):
        row |= {"first_token_ts": rows[0]["queued_ts"] + first, "last_token_ts": rows[0]["queued_ts"] + last}
    write_requests(folder, rows)


def test_a_run_of_a_mixture_on_two_gpus_is_read(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    run = runs.load_run(folder, [profiles])
    assert (run.setup.deployment.gpus, run.setup.deployment.max_sequences, run.setup.deployment.max_batch_tokens) == (
        2,
        64,
        1024,
    )
    assert run.setup.measured.experts(2048) == pytest.approx(48 * 1100e-6 / 2)
    assert not run.setup.kv_recorded
    assert run.setup.deployment.kv_blocks * 16 * run.setup.deployment.kv_token_bytes < 2 * 0.9 * 96 * 2**30 - 61e9
    assert run.truth.arrival[0] == 0.0
    assert run.truth.ttft == pytest.approx(np.ones(40))


def test_recorded_blocks_come_before_derived_ones(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    (folder / "meta.json").write_text(json.dumps(META | {"kv_cache": {"num_gpu_blocks": 777}}))
    run = runs.load_run(folder, [profiles])
    assert (run.setup.kv_recorded, run.setup.deployment.kv_blocks) == (True, 777)


def test_runs_lie_as_in_their_repository_too(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    flat = runs.load_run(folder, [profiles])
    inner = folder / "vllm"
    inner.mkdir()
    for name in ("meta.json", "requests.jsonl", "timeseries.csv"):
        (folder / name).rename(inner / name)
    nested = runs.load_run(inner, [profiles])
    assert nested.name == "truth-run"
    assert nested.setup == flat.setup
    assert (nested.prompts == flat.prompts).all()


def test_the_constants_that_made_a_run_are_found_again(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    record(runs, folder, profiles)
    run = runs.load_run(folder, [profiles])
    found = runs.fit_host(run, with_step=True)
    outcome, _ = runs.simulate(run, found)
    assert outcome.e2e == pytest.approx(run.truth.e2e, rel=0.05)
    mean = outcome.running.mean() if outcome.running.any() else 1.0
    assert found.step + found.sequence * mean == pytest.approx(STEP + SEQUENCE * mean, rel=0.1)
    assert runs.fit_host(run, with_step=False).step == 0.0


def test_every_request_is_answered_in_order_of_its_own_times(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    run = runs.load_run(folder, [profiles])
    outcome, use = runs.simulate(run, runs.Host(0.0, 0.0))
    assert (outcome.first > outcome.arrival).all()
    assert (outcome.last > outcome.first).all()
    assert (outcome.running <= 64).all()
    assert ((use >= 0) & (use <= 1)).all()
    slower, _ = runs.simulate(run, runs.Host(5e-3, 0.0))
    assert slower.makespan > outcome.makespan


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("meta.json", "[", r"meta.json: cannot be read"),
        ("config.json", '{"nodes": []}', r"config.json: expected one instance that prefills and decodes"),
        ("requests.jsonl", '{"input_toks": 1}\n', r"requests.jsonl: no field 'output_toks'; expected input_toks"),
        ("timeseries.csv", "", r"timeseries.csv: cannot be read"),
    ],
)
def test_a_broken_run_is_refused(
    name: str, text: str, message: str, runs: ModuleType, folders: tuple[Path, Path]
) -> None:
    folder, profiles = folders
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=message):
        runs.load_run(folder, [profiles])


def test_a_run_without_a_profile_is_refused(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    (profiles / "RTXPRO6000" / "Qwen" / "bf16" / "meta.yaml").write_text("hardware: H100\nmodel: X\n")
    with pytest.raises(InputError, match=r"no profile of Qwen/Qwen3-30B-A3B-Instruct-2507 on 2 RTXPRO6000"):
        runs.load_run(folder, [profiles])


@pytest.mark.slow  # fits twice in a process of its own
def test_the_command_prints_a_table_of_any_run(runs: ModuleType, folders: tuple[Path, Path]) -> None:
    folder, profiles = folders
    record(runs, folder, profiles)
    command = [sys.executable, "benchmarks/serving_fidelity.py", "--truth", folder.parent, "--profiles", profiles]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| TPOT p99, ms |" in done.stdout


def measured_run(runs: ModuleType, name: str) -> Any:
    if not DATA.is_dir():
        pytest.skip(f"no measurements at {DATA}; set ADRS_SHARED_DATA")
    return runs.load_run(DATA / "vllm_ground_truth" / name, [DATA / "profiles"])


@pytest.mark.parametrize(
    "judged, sequence",
    [("RTXPRO6000-Llama-3.1-8B", 12.5e-6), ("RTX4090-Llama-3.1-8B", 15.9e-6)],  # as fitted on the other run
)
def test_vllm_is_met_within_a_few_per_cent_unfitted(judged: str, sequence: float, runs: ModuleType) -> None:
    run = measured_run(runs, judged)
    outcome, _ = runs.simulate(run, runs.Host(0.0, sequence))
    truth = run.truth
    assert outcome.makespan == pytest.approx(truth.makespan, rel=0.03)
    for quantile in (0.5, 0.9, 0.99):
        assert np.quantile(outcome.tpot, quantile) == pytest.approx(np.quantile(truth.tpot, quantile), rel=0.03)
        assert np.quantile(outcome.e2e, quantile) == pytest.approx(np.quantile(truth.e2e, quantile), rel=0.05)
    assert np.sqrt(((outcome.waiting - truth.waiting) ** 2).mean()) < 0.1 * truth.waiting.mean()
    assert np.sqrt(((outcome.running - truth.running) ** 2).mean()) < 0.1 * truth.running.mean()


def test_the_derived_kv_cache_is_that_which_vllm_found(runs: ModuleType) -> None:
    run = measured_run(runs, "RTX4090-Llama-3.1-8B")
    config = json.loads((DATA / "vllm_ground_truth" / run.name / "config.json").read_text())
    memory = config["nodes"][0]["instances"][0]["npu_mem"]
    usable = memory["mem_size"] * memory["mem_util"] * 2**30 - run.setup.model.weight_bytes
    assert usable / (16 * run.setup.model.kv_token_bytes) == pytest.approx(run.setup.deployment.kv_blocks, rel=0.005)
    assert run.kv_use[run.truth.waiting > 20].mean() > 0.95  # while others wait, the cache is full
