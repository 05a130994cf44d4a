"""The evaluator of admission: its score, its workloads, and what it makes of hostile answers."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.errors import InputError
from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.problem_file import load_problem
from adrs.testing.direct import DirectPolicy
from evaluators.transactions import TransactionAdmission
from evaluators.transactions.admission.arrivals import bursty, poisson
from evaluators.transactions.admission.evaluator import RULES, WINDOW, root_mean_square
from evaluators.transactions.admission.interface import Pending, Running
from evaluators.transactions.admission.workloads import FAMILIAR, SHIFTED, Scenario, instance
from evaluators.transactions.locking import first_come, simulate

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "transaction_admission"


def policy(name: str) -> DirectPolicy:
    return DirectPolicy.from_source((SEEDS / f"{name}.py").read_text())


@pytest.fixture(scope="module")
def evaluator() -> TransactionAdmission:
    return TransactionAdmission()


@pytest.fixture(scope="module")
def cheapest(evaluator: TransactionAdmission) -> Workload:
    return evaluator.workloads("train", 0)[0]


def test_order_of_arrival_scores_exactly_zero_and_others_stay_below_one(evaluator: TransactionAdmission) -> None:
    for workload in evaluator.workloads("train", 0)[1::4]:
        assert evaluator.run(workload, policy("first_come"))["gap_closed"] == 0.0
        metrics, bound = evaluator.run(workload, policy("least_conflict")), evaluator.bound(workload)
        assert 0.0 < metrics["gap_closed"] < 1.0 == bound["gap_closed"]
        assert metrics["rms_latency"] > bound["rms_latency"]
        assert metrics["mean_latency"] > bound["mean_latency"]
        assert metrics["throughput"] < bound["throughput"]
        assert metrics["p50_latency"] < metrics["p99_latency"]
        assert metrics["mean_latency"] < metrics["rms_latency"]


def test_metrics_are_finite_and_the_same_each_time(evaluator: TransactionAdmission, cheapest: Workload) -> None:
    first = evaluator.run(cheapest, policy("random_order"))
    assert first == TransactionAdmission().run(cheapest, policy("random_order"))
    assert all(np.isfinite(value) for value in first.values())
    assert 0.0 <= first["wasted_share"] < 1.0
    assert 0.0 < first["blocked_share"] < 1.0


def test_policy_is_shown_what_a_scheduler_can_know(evaluator: TransactionAdmission, cheapest: Workload) -> None:
    scenario = Scenario(**cheapest.parameters)
    transactions, arrivals = instance(scenario, RULES.commit)
    aborted: set[int] = set()

    def check(now: float, pending: list[Pending], running: list[Running]) -> int:
        assert 1 <= len(pending) <= WINDOW
        assert len(running) < scenario.executors
        assert [each.arrived for each in pending] == sorted(each.arrived for each in pending)
        for each in [*pending, *running]:
            own = transactions[each.id]
            assert (each.kind, tuple(each.keys), tuple(each.writes)) == (own.kind, own.keys, own.writes)
            assert each.arrived == arrivals[each.id] <= now
        for each in running:
            assert each.arrived <= each.started <= now
            assert 0 <= each.position <= len(each.keys)
            assert not (each.waiting and each.position == len(each.keys))
        aborted.update(each.id for each in [*pending, *running] if each.aborts)
        return pending[0].id

    metrics = evaluator.run(cheapest, DirectPolicy({"next_transaction": check}))
    outcome = simulate(transactions, arrivals, scenario.executors, RULES, first_come, WINDOW)
    assert aborted == set(np.flatnonzero(outcome.aborts))
    assert metrics["rms_latency"] == root_mean_square(outcome.latency)


def test_declining_helps_and_is_asked_again(evaluator: TransactionAdmission) -> None:
    """Conservative locking declines, so nothing ever waits or aborts."""
    workload = next(each for each in evaluator.workloads("train", 0) if each.regime.startswith("ycsb-update"))
    metrics = evaluator.run(workload, policy("conservative_locking"))
    assert metrics["aborts"] == metrics["blocked_share"] == metrics["wasted_share"] == 0.0
    assert metrics["gap_closed"] > 0.3


def test_refuses_an_answer_with_a_message_that_helps(evaluator: TransactionAdmission, cheapest: Workload) -> None:
    for answer, message in ((-1, "declined while nothing runs; start"), (999, "999 is not among the 1 pending")):
        lazy = DirectPolicy({"next_transaction": lambda *_, answer=answer: answer})
        with pytest.raises(WrongAnswer, match=message):
            evaluator.run(cheapest, lazy)


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_and_distinct(evaluator: TransactionAdmission, split: Any) -> None:
    workloads = evaluator.workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash
        assert set(parameters) == {field.name for field in fields(Scenario)}
        assert workload.cluster == f"{workload.regime}-{parameters['seed']}"


def test_splits_share_no_instance_and_test_has_enough_clusters(evaluator: TransactionAdmission) -> None:
    by_split = {split: evaluator.workloads(split, 3) for split in SPLITS}
    seeds = {split: {w.parameters["seed"] for w in listed} for split, listed in by_split.items()}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert len({workload.cluster for workload in by_split["test"]}) >= 24
    assert {workload.regime for workload in by_split["test"]} - set(FAMILIAR) == set(SHIFTED)
    hashes = [[workload.hash for workload in evaluator.workloads("test", salt)] for salt in (1, 1, 2)]
    assert hashes[0] == hashes[1]
    assert not set(hashes[0]) & set(hashes[2])


def test_shifted_regimes_are_new_in_settings_or_executors() -> None:
    seen = [(s.benchmark, s.executors, s.settings) for s in FAMILIAR.values()]
    assert all((s.benchmark, s.executors, s.settings) not in seen for s in SHIFTED.values())


@pytest.mark.parametrize("make", [poisson, bursty])
def test_arrivals_have_the_mean_rate(make: Any) -> None:
    times = make(0.5, 20_000, np.random.default_rng(0))
    assert len(times) == 20_000
    assert times[0] == 0.0
    assert np.all(np.diff(times) >= 0)
    assert 20_000 / times[-1] == pytest.approx(0.5, rel=0.08)


def test_bursts_come_in_bursts() -> None:
    """Counts of a Poisson process vary as their mean does; those of bursts far more."""
    dispersion = {}
    for make in (poisson, bursty):
        times = make(1.0, 20_000, np.random.default_rng(1))
        counts = np.bincount((times // 20).astype(int))[:-1]
        dispersion[make] = counts.var() / counts.mean()
    assert dispersion[poisson] == pytest.approx(1.0, abs=0.2)
    assert dispersion[bursty] > 8.0


def test_offered_load_is_that_of_the_scenario() -> None:
    scenario = Scenario("tpcc", 8, 0.6, "poisson", {"warehouses": 2}, transactions=4000, seed=1)
    transactions, arrivals = instance(scenario, RULES.commit)
    work = sum(len(each) * RULES.operation + RULES.commit for each in transactions)
    assert work / (8 * arrivals[-1]) == pytest.approx(0.6, rel=0.05)


def write_trace(folder: Path, count: int) -> str:
    rng = np.random.default_rng(0)
    lines = [
        {"kind": "buy", "ops": [["r", f"user:{rng.integers(5)}"], ["w", int(rng.integers(3))], ["w", "log"]]}
        for _ in range(count)
    ]
    file = folder / "trace.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return str(file)


def test_a_recorded_trace_stands_in_for_generated_streams(tmp_path: Path) -> None:
    file = write_trace(tmp_path, 24 * 10 * 5)
    evaluator = TransactionAdmission(trace={"file": file, "batch": 10, "executors": 4, "load": 0.9})
    by_split = {split: evaluator.workloads(split, 0) for split in SPLITS}
    assert len(by_split["test"]) >= 24
    assert len({workload.hash for listed in by_split.values() for workload in listed}) == sum(
        map(len, by_split.values())
    )
    for workload in by_split["validation"][:3]:
        assert evaluator.run(workload, policy("first_come"))["gap_closed"] == 0.0
        assert evaluator.run(workload, policy("shortest_makespan_first"))["gap_closed"] < 1.0
    (first, *_) = by_split["train"]
    busier = TransactionAdmission(trace={"file": file, "batch": 10, "executors": 4, "load": 1.8})
    assert busier.workloads("train", 0)[0].hash != first.hash


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 3}, "options.trace: unknown key 'rate'; expected file, batch, executors, load, arrivals"),
        ({"executors": 0}, "options.trace.executors: expected an integer from 1 to 10000, got 0"),
        ({"executors": 10**400}, "options.trace.executors: expected an integer from 1 to 10000"),
        ({"executors": True}, "options.trace.executors"),
        ({"load": 0}, "options.trace.load: expected a number from 0.01 to 10, got 0"),
        ({"load": 1e-300}, "options.trace.load: expected a number from 0.01 to 10"),
        ({"load": float("nan")}, "options.trace.load"),
        ({"arrivals": "steady"}, "options.trace.arrivals: expected poisson or bursty, got 'steady'"),
        ({"arrivals": []}, "options.trace.arrivals"),
        ({"file": "nowhere.jsonl"}, "nowhere.jsonl: cannot read"),
    ],
)
def test_wrong_options_are_input_errors(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        TransactionAdmission(trace={"file": write_trace(tmp_path, 600), "batch": 5} | wrong)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("wrong", [3, "trace.jsonl", ["file"]])
def test_options_that_are_no_mapping_are_input_errors(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"options\.trace: expected the keys file, batch, executors, load, arrivals"):
        TransactionAdmission(trace=wrong)


def test_hostile_answers_gain_nothing() -> None:
    problem = load_problem(ROOT / "problems" / "transaction_admission.yaml")
    attacks = load_attacks(Path(__file__).parent / "admission_attacks")
    results = run_attacks(problem, attacks)
    for name, result in results.items():
        assert result.status in expected_ends(attacks[name]), (name, result)
    scores = {name: result.metrics["gap_closed"] for name, result in results.items() if result.status == "ok"}
    assert scores.pop("mutate_inputs") == 0.0  # that of order of arrival, which it answers
    assert set(scores) == {"starve_the_long", "one_at_a_time"}
    assert max(scores.values()) < 0.0
    assert "is not among" in (results["start_what_runs"].error or "")
    assert "while nothing runs" in (results["decline_for_ever"].error or "")
