"""`adrs init`: what it writes is a problem that works, can be improved on, and whose simulator is right."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import itertools
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support.in_process import InProcessExecutor

from adrs.errors import InputError
from adrs.evaluation.check import Check, check_problem
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Limits
from adrs.evaluation.protocol import Workload, WrongAnswer
from adrs.evaluation.score import evaluation_json, score_file, score_policy
from adrs.evaluation.verify import Verification, verify_policy
from adrs.problem import Budget, Feature, Search, Verify
from adrs.problem_file import PROBLEM_FIELDS, check_seed, load_problem
from adrs.runs import evolve
from adrs.scaffold import init_problem
from adrs.testing.direct import DirectPolicy

GUIDE = Path(__file__).parents[1] / "docs/evaluators.md"


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("scaffolded_evaluator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scaffold")
    init_problem("shop", folder)
    return folder


@pytest.fixture(scope="module")
def module(written: Path) -> ModuleType:
    return load_module(written / "shop/evaluator.py")


def test_the_files_written(tmp_path: Path) -> None:
    files = [str(path.relative_to(tmp_path)) for path in init_problem("shop", tmp_path)]
    assert files[0] == "shop.yaml"
    assert sorted(files[1:]) == [
        f"shop/{name}" for name in ("description.md", "evaluator.py", "interface.py", "seed.py", "wspt.py")
    ]
    assert "$" not in (tmp_path / "shop.yaml").read_text()


def test_it_passes_check_as_it_is(written: Path, module: ModuleType) -> None:
    problem = load_problem(written / "shop.yaml")
    executor = InProcessExecutor(module.Dispatch(**problem.options))
    asyncio.run(check_seed(executor, problem))
    result = asyncio.run(check_problem(executor, problem))
    assert result.findings == ()
    assert result.deterministic
    assert result.bound == 1.0


def test_the_seed_leaves_head_room_and_so_does_the_baseline(written: Path, module: ModuleType) -> None:
    problem = load_problem(written / "shop.yaml")
    executor = InProcessExecutor(module.Dispatch(**problem.options))
    better = problem.baselines["WSPT"].replace("weight / work", "weight / (work + 2 * setup * (family != loaded))")
    scores = [
        asyncio.run(score_policy(executor, problem, source, "train")).score
        for source in (problem.seed, problem.baselines["WSPT"], better)
    ]
    assert scores[0] * 1.5 < scores[1]
    assert scores[1] * 1.1 < scores[2] < 0.8


def test_the_whole_way_behind_the_wall(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    problem = load_problem(written / "shop.yaml")
    better = tmp_path / "better.py"
    better.write_text(
        problem.baselines["WSPT"].replace("weight / work", "weight / (work + 2 * setup * (family != loaded))")
    )

    async def go() -> tuple[Check, dict[str, Any], Verification]:
        executor = LocalExecutor(problem.evaluator, jobs=2)
        try:
            await check_seed(executor, problem)
            return (
                await check_problem(executor, problem),
                evaluation_json(await score_file(executor, problem, better)),
                await verify_policy(executor, problem, better.read_text(), salt=11),
            )
        finally:
            await executor.close()

    check, evaluation, verification = asyncio.run(go())
    assert check.findings == ()
    assert check.deterministic
    assert check.sandbox != "none"
    assert evaluation["status"] == "ok"
    direct = InProcessExecutor(load_module(written / "shop/evaluator.py").Dispatch(**problem.options))
    assert evaluation["score"] == asyncio.run(score_policy(direct, problem, better.read_text(), "train")).score
    assert (verification.verdict, verification.beats_every_baseline) == ("better", True)
    assert [(one.name, one.familiar) for one in verification.regimes] == [
        ("steady", True),
        ("bursty", True),
        ("heavy", False),
    ]


def test_a_seed_without_the_interface_is_named(tmp_path: Path) -> None:
    init_problem("shop", tmp_path)
    (tmp_path / "shop/seed.py").write_text("def chose(now):\n    return 0\n")
    problem = load_problem(tmp_path / "shop.yaml")

    async def go() -> None:
        executor = LocalExecutor(problem.evaluator)
        try:
            await check_seed(executor, problem)
        finally:
            await executor.close()

    with pytest.raises(InputError) as caught:
        asyncio.run(go())
    assert str(caught.value).startswith(f"{tmp_path}/shop/seed.py: the policy named by `seed` cannot be used: ")
    assert "choose(" in str(caught.value)


def flow_of(module: ModuleType, jobs: list, machines: int, choices: list[int]) -> float:
    """Total weighted flow time when the given indices are chosen in turn (modulo the number of waiting jobs)."""
    turns = iter(choices)

    class Scripted:
        seconds = 0.0

        def call(self, function: str, *arguments: object) -> int:
            work = arguments[4]
            assert isinstance(work, np.ndarray)
            return next(turns) % len(work)

    flow, _ = module.Dispatch(machines, len(jobs))._simulate(jobs, Scripted())
    return float(flow)


def test_a_schedule_computed_by_hand(module: ModuleType) -> None:
    """Two machines. a starts at 0 on one (set-up 0.6, ends 2.6), b at 1 on the other (ends 2.6); c arrives at 1 and
    waits; the first machine is free at 2.6 and holds c's family: c ends 3.6."""
    job = module.Job
    jobs = [job(0.0, 0, 2.0, 1.0), job(1.0, 1, 1.0, 3.0), job(1.0, 0, 1.0, 1.0)]
    assert flow_of(module, jobs, 2, [0, 0, 0]) == pytest.approx(1 * 2.6 + 3 * 1.6 + 1 * 2.6)


def test_no_job_starts_before_it_arrives(module: ModuleType) -> None:
    """One machine idles until 5; the other, idle since 0, must not start the second job of the batch earlier."""
    job = module.Job
    jobs = [job(5.0, 0, 1.0, 1.0), job(5.0, 0, 1.0, 1.0)]
    assert flow_of(module, jobs, 2, [0, 0]) == pytest.approx(2 * 1.6)


def test_the_bound_is_below_every_schedule_of_tiny_cases(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETUP", 0.0)
    rng = random.Random(4)
    tightest = 0.0
    for machines in (1, 2):
        for _ in range(15):
            arrivals = sorted(rng.choice((0.0, 0.0, rng.uniform(0, 3))) for _ in range(5))
            jobs = [module.Job(at, 0, rng.uniform(0.2, 2), rng.choice((1.0, 5.0))) for at in arrivals]
            orders = itertools.product(*(range(choices) for choices in (5, 4, 3, 2, 1)))
            best = min(flow_of(module, jobs, machines, list(order)) for order in orders)
            bound = module.Dispatch(machines, 5)._least_flow(jobs)
            assert bound <= best + 1e-9
            tightest = max(tightest, bound / best)
    assert tightest > 0.999  # on one machine with all jobs there, it is the optimum


def test_the_bound_equals_the_optimum_of_one_machine_with_all_jobs_there(module: ModuleType) -> None:
    job = module.Job
    jobs = [job(0.0, 0, 3.0, 1.0), job(0.0, 0, 1.0, 2.0), job(0.0, 0, 2.0, 2.0)]
    optimum = 2.0 * 1 + 2.0 * 3 + 1.0 * 6  # Smith's order: ratios 2, 1, 1/3
    assert module.Dispatch(1, 3)._least_flow(jobs) == pytest.approx(optimum)


@pytest.mark.parametrize("answer", ["-1", "len(work)", "0.0", "True", "None", "'0'", "work.argmax()"])
def test_a_wrong_answer_is_refused(module: ModuleType, answer: str) -> None:
    evaluator = module.Dispatch(2, 5)
    policy = DirectPolicy.from_source(
        f"def choose(now, loaded, setup, family, work, weight, arrival):\n    return {answer}\n"
    )
    with pytest.raises(WrongAnswer, match="expected an index of the"):
        evaluator.run(evaluator.workloads("train", 0)[0], policy)


def test_another_salt_draws_other_workloads(module: ModuleType) -> None:
    def hashes(salt: int) -> set[str]:
        listed: list[Workload] = module.Dispatch().workloads("test", salt)
        return {one.hash for one in listed}

    assert hashes(1) == hashes(1)
    assert not hashes(1) & hashes(2)
    assert len(hashes(1)) == 24


@pytest.mark.parametrize("name", ["", "2fast", "Upper", "a-b", "a/b", "..", "a" * 41])
def test_an_unfit_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a name of at most 40 lower-case letters"):
        init_problem(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", ["shop.yaml", "shop"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).mkdir()
    with pytest.raises(InputError, match=f"{existing} exists and is left as it is"):
        init_problem("shop", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder; create it, or name another"):
        init_problem("shop", tmp_path / "gone")


def test_the_yaml_of_the_guide_is_what_is_written(tmp_path: Path) -> None:
    init_problem("shop", tmp_path)
    written = load_problem(tmp_path / "shop.yaml")
    block = GUIDE.read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "shop.yaml").write_text(block)
    assert load_problem(tmp_path / "shop.yaml") == written


def test_the_mistake_that_the_guide_shows_is_reported_so(tmp_path: Path) -> None:
    init_problem("shop", tmp_path)
    path = tmp_path / "shop.yaml"
    path.write_text(path.read_text().replace("limits: {cpu_seconds", "limits: {cpu_second"))
    with pytest.raises(InputError) as caught:
        load_problem(path)
    shown = str(caught.value).replace(f"{tmp_path}/", "")
    line = next(line for line in GUIDE.read_text().splitlines() if line.startswith("shop.yaml:"))
    assert shown == line


def test_the_guide_has_every_field_of_a_problem() -> None:
    table = GUIDE.read_text()
    for kind in (Limits, Search, Budget, Verify, Feature):
        for field in dataclasses.fields(kind):
            assert field.name in table
    for section in PROBLEM_FIELDS:
        assert f"| `{section}` |" in table


@pytest.mark.slow
def test_it_evolves_without_a_language_model(written: Path, tmp_path: Path) -> None:
    result = evolve(written / "shop.yaml", proposer="offline", budget=Budget(candidates=150), run=tmp_path / "run")
    assert result.best is not None
    assert result.best.score > 1.3 * result.seed_score
