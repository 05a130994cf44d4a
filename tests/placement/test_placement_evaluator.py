from __future__ import annotations

import asyncio
import csv
import json
import os
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
from placement_cases import ROOT, policy

from adrs.errors import InputError
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.problem_file import load_problem
from adrs.testing.direct import DirectPolicy
from evaluators.placement import ModelPlacement
from evaluators.placement.fleet import RESERVE
from evaluators.placement.loading import SECONDS_PER_GB
from evaluators.placement.traffic import WANDER, WANDER_SECONDS, Scenario, make_cluster
from evaluators.placement.workloads import FAMILIAR, SHIFTED, scenario_of


@pytest.fixture(scope="module")
def evaluator() -> ModelPlacement:
    return ModelPlacement()


def test_interface_is_one_function(evaluator: ModelPlacement) -> None:
    (function,) = evaluator.interface.functions
    assert function.name == "place"
    assert function.parameters == (
        "rates", "slo", "weights", "load_seconds", "memory", "placement", "period_seconds",
    )  # fmt: skip
    assert f"{RESERVE:.0f} GB or more" in function.doc


def test_never_moving_scores_exactly_zero_and_policies_stay_below_one(evaluator: ModelPlacement) -> None:
    for workload in evaluator.workloads("train", 0)[:2]:
        assert evaluator.run(workload, policy("never_move"))["gap_closed"] == 0.0
        metrics, bound = evaluator.run(workload, policy("greedy")), evaluator.bound(workload)
        assert metrics["gap_closed"] < 1.0 == bound["gap_closed"]
        assert metrics["worst_pressure"] > bound["worst_pressure"] > 0
        assert 0 < metrics["late_share"] < 1


def test_metrics_are_finite_and_deterministic(evaluator: ModelPlacement) -> None:
    workload = evaluator.workloads("train", 0)[0]
    first = evaluator.run(workload, policy("greedy"))
    assert first == ModelPlacement().run(workload, policy("greedy"))
    assert set(first) == {"gap_closed", "worst_pressure", "moved_models", "moved_gb", "late_share", "mean_wait"}
    assert all(np.isfinite(value) for value in first.values())


def test_a_policy_sees_the_past_alone(evaluator: ModelPlacement) -> None:
    """What is handed over before a period is what was lived through in the one before, never the coming one."""
    workload = evaluator.workloads("train", 0)[0]
    trace = make_cluster(scenario_of(workload.parameters)).trace
    seen = []

    def look(rates: np.ndarray, *rest: Any) -> np.ndarray:
        seen.append(rates)
        return np.asarray(rest[4])

    evaluator.run(workload, DirectPolicy({"place": look}))
    assert np.array_equal(np.array(seen), trace.rates[:-1])


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_and_distinct(split: Any) -> None:
    workloads = ModelPlacement().workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash
        assert set(parameters) == {field.name for field in fields(Scenario)}
        assert scenario_of(parameters) == scenario_of(workload.parameters)


def test_splits_share_no_instance_and_test_has_enough_clusters(evaluator: ModelPlacement) -> None:
    seeds = {split: {w.parameters["seed"] for w in evaluator.workloads(split, 3)} for split in SPLITS}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert not seeds["test"] & {w.parameters["seed"] for w in evaluator.workloads("test", 4)}
    assert len({workload.cluster for workload in evaluator.workloads("test", 3)}) >= 24


def test_shifted_regimes_are_new_in_cluster_loader_or_drift() -> None:
    def traits(scenario: Scenario) -> tuple[Any, ...]:
        return (scenario.gpus, scenario.loader, scenario.drift)

    known = list(zip(*map(traits, FAMILIAR.values()), strict=True))
    for scenario in SHIFTED.values():
        assert any(trait not in column for trait, column in zip(traits(scenario), known, strict=True))


@pytest.mark.parametrize("regime", [*FAMILIAR, *SHIFTED])
def test_clusters_are_what_their_scenario_says(regime: str) -> None:
    scenario = (FAMILIAR | SHIFTED)[regime]
    for seed in (*range(5), 8, 12, 15):  # the last three draw many replicas of small models
        cluster = make_cluster(Scenario(**{**vars(scenario), "seed": seed}))
        fleet, rates = cluster.fleet, cluster.trace.rates
        assert fleet.fits(cluster.initial)
        assert fleet.weights.sum() <= scenario.fill * fleet.memory.sum() * (1 + 1e-9)
        assert rates.shape == (scenario.periods + 1, scenario.stretches, fleet.models)
        assert cluster.trace.period_seconds == scenario.period_seconds
        assert (rates >= 0).all() and np.isfinite(rates).all()
        mean = rates.sum(axis=2).mean() / len(scenario.gpus)
        assert 1 < mean < 16  # requests/s a GPU: 4 but for the drift


def test_rates_change_as_much_as_those_of_served_clients() -> None:
    """Sorted shares and ten-minute changes of the steady drift lie in the range of ServeGen's pools."""
    scenario = Scenario((80,) * 8, 24, "small", 0.6, 1.1, "sllm-disk", "steady", 600, 1)
    rates = np.concatenate([make_cluster(Scenario(**{**vars(scenario), "seed": s})).trace.rates for s in range(4)], 2)
    periods = rates.mean(axis=1)
    busy = periods.mean(axis=0) > 0.5
    changes = np.std(np.log(periods[1:, busy] / periods[:-1, busy]), axis=0)
    assert 0.17 < np.median(changes) < 0.8


def test_problem_scores_the_same_behind_the_wall_as_in_process(evaluator: ModelPlacement) -> None:
    problem = load_problem(ROOT / "problems" / "model_placement.yaml")

    async def behind_the_wall() -> list[Any]:
        executor = LocalExecutor(problem.evaluator)
        try:
            workload = (await executor.workloads("train"))[0]
            return [
                await executor.submit(source, workload, problem.limits)
                for source in (problem.seed, problem.baselines["Prism"])
            ]
        finally:
            await executor.close()

    workload = evaluator.workloads("train", 0)[0]
    results = asyncio.run(behind_the_wall())
    assert [dict(r.metrics) for r in results] == [evaluator.run(workload, policy(n)) for n in ("greedy", "prism")]


def test_a_misfit_is_named(evaluator: ModelPlacement) -> None:
    workload = evaluator.workloads("train", 0)[0]
    heap = DirectPolicy({"place": lambda rates, *_: np.zeros(rates.shape[1], dtype=int)})
    with pytest.raises(WrongAnswer, match=r"GPU 0: weights of [\d.]+ GB do not leave 4 GB of its 72.0 GB free"):
        evaluator.run(workload, heap)


def measured(name: str) -> Path:
    """A folder of published measurements, or skip."""
    folder = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        pytest.skip(f"no measurements at {folder}; set ADRS_SHARED_DATA")
    return folder


@pytest.mark.slow  # seconds of reading
def test_popularity_and_wandering_are_those_of_servegens_clients() -> None:
    folder = measured("servegen")
    exponents = {}
    for pool in ("language_m-large", "language_m-mid", "reason_deepseek-r1", "multimodal_mm-image"):
        clients = pd.read_csv(folder / f"{pool}_clients.csv.gz")
        table = clients.pivot_table(index="window_start_s", columns="client", values="rate_rps", fill_value=0.0)
        busiest = table.sum().sort_values(ascending=False)[:24]
        exponents[pool] = -np.polyfit(np.log(np.arange(1, 25)), np.log(busiest), 1)[0]
        if pool == "language_m-large":
            rates = table[busiest.index].to_numpy()
            asked = (rates[1:] > 0) & (rates[:-1] > 0)
            changes = [np.log(b[on] / a[on]) for a, b, on in zip(rates.T[:, :-1], rates.T[:, 1:], asked.T, strict=True)]
            median_change = median(float(np.std(change)) for change in changes if len(change) > 20)
    assert [round(exponent, 1) for exponent in exponents.values()] == [1.1, 1.1, 1.0, 1.3]
    assert median_change == pytest.approx(WANDER * np.sqrt(2 * (1 - np.exp(-600 / WANDER_SECONDS))), rel=0.1)


def test_loading_rates_are_those_of_the_measurements() -> None:
    path = measured("serverlessllm_loading") / "loading_times.csv"
    sizes = {
        "meta-llama/Llama-3.1-8B": 16.06,
        "Qwen/Qwen3-32B": 65.52,
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": 65.53,
    }
    rates: dict[str, list[float]] = {name: [] for name in SECONDS_PER_GB}
    for row in csv.DictReader(path.open()):
        if row["machine"] == "h100_2025":
            size = next(gb for model, gb in sizes.items() if row["model"].startswith(model))
            kind = {"random": "disk", "cached": "cached"}[row["mode"]]
            rates[f"{row['loader']}-{kind}"].append(float(row["loading_s"]) / size)
    for name, seconds in SECONDS_PER_GB.items():
        assert median(rates[name]) == pytest.approx(seconds, rel=0.01)


CLUSTER = """
gpus: [40, 40]
period_seconds: 20
stretch_seconds: 10
loader: sllm-disk
models:
  chat: {weights_gb: 16.1, slo_seconds: 1}
  code: {weights_gb: 7.0, slo_seconds: 2}
"""
RATES = "code,chat\n" + "".join(f"{row % 3},{row % 5}\n" for row in range(81))


def recorded(folder: Path, cluster: str = CLUSTER, rates: str = RATES) -> dict[str, str]:
    (folder / "cluster.yaml").write_text(cluster)
    (folder / "rates.csv").write_text(rates)
    return {"cluster": str(folder / "cluster.yaml"), "rates": str(folder / "rates.csv")}


def test_recording_is_cut_in_order_of_time_and_scored(tmp_path: Path) -> None:
    evaluator = ModelPlacement(recording=recorded(tmp_path))
    spans = [w.parameters for split in SPLITS for w in evaluator.workloads(split, 0)]
    assert [spans[0]["from"], spans[-1]["to"]] == [0, 40]
    assert all(before["to"] == after["from"] for before, after in pairwise(spans))
    workload = evaluator.workloads("train", 0)[0]
    seen: list[np.ndarray] = []

    def look(rates: np.ndarray, slo: np.ndarray, weights: np.ndarray, *rest: Any) -> np.ndarray:
        seen.append(rates)
        assert weights.tolist() == [16.1, 7.0]
        return np.asarray(rest[2])

    assert evaluator.run(workload, DirectPolicy({"place": look}))["gap_closed"] == 0.0
    assert seen[0].tolist() == [[0, 0], [1, 1]]  # columns in the order of the cluster's models
    assert evaluator.run(workload, policy("static_optimum"))["gap_closed"] <= 1.0


def test_a_recording_in_which_nothing_is_asked_for_in_a_span_scores_zero(tmp_path: Path) -> None:
    rates = "chat,code\n" + "0,0\n" * 60 + "1,2\n" * 21
    evaluator = ModelPlacement(recording=recorded(tmp_path, rates=rates))
    metrics = evaluator.run(evaluator.workloads("train", 0)[0], policy("greedy"))
    assert (metrics["gap_closed"], metrics["late_share"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("cluster", "gpus: [40, 40]", "gpus: [40, forty]"),
            "cluster.yaml:2: gpus[1]: expected GB of memory, 4 or more",
        ),
        (("cluster", "gpus: [40, 40]", "gpus: 2"), "cluster.yaml:2: gpus: expected a list of the GPUs' GB"),
        (("cluster", "sllm-disk", "tape"), "`tape` is unknown; expected one of: sllm-cached"),
        (("cluster", "loader: sllm-disk", "disk: x"), "unknown field"),
        (("cluster", "period_seconds: 20", "period_seconds: 25"), "the first a multiple of the second"),
        (("cluster", "7.0", "-7"), "expected GB, above 0, not -7"),
        (("cluster", "16.1", "60"), "cannot be spread so that 4 GB stay free"),
        (("cluster", "slo_seconds: 2", "slo_seconds: 2, gpu: 1"), "`gpu` is given for 1 of 2 models"),
        (("rates", "code,chat", "code,talk"), "rates.csv:1: expected a header of the cluster's models chat,code"),
        (("rates", "1,1\n", "1,many\n"), "rates.csv:3: expected 2 numbers"),
        (("rates", "1,1\n", "1,-1\n"), "rates.csv:3: expected finite rates"),
        (("rates", "1,1\n", "1,nan\n"), "rates.csv:3: expected finite rates"),
    ],
)
def test_mistakes_in_a_recording_are_named(tmp_path: Path, change: tuple[str, str, str], message: str) -> None:
    kind, old, new = change
    texts = {"cluster": CLUSTER, "rates": RATES}
    texts[kind] = texts[kind].replace(old, new, 1)
    with pytest.raises(InputError) as refusal:
        ModelPlacement(recording=recorded(tmp_path, **texts))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_recording_too_short_for_a_split_is_refused_when_listed(tmp_path: Path) -> None:
    evaluator = ModelPlacement(recording=recorded(tmp_path, rates="chat,code\n" + "1,1\n" * 12))
    with pytest.raises(InputError, match="6 periods leave 1 for validation, which needs 3"):
        evaluator.workloads("validation", 0)


@pytest.mark.parametrize("given", [{}, {"cluster": "x.yaml"}, {"cluster": 1, "rates": "r.csv"}])
def test_options_of_a_recording_are_checked(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"options\.recording: expected the paths 'cluster' and 'rates'"):
        ModelPlacement(recording=given)
