"""`LocalExecutor` end to end: answers, failures of policies, failures of the house."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from wall_evaluators import POLICY

from adrs.errors import HouseError, InputError
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor, evaluate
from adrs.evaluation.outcome import Evaluation, Limits
from adrs.sandbox.jail import SandboxMode

EVALUATORS = Path(__file__).with_name("wall_evaluators.py")
LIMITS = Limits()
CRASHING = POLICY + "\ndef total(values, weights=None):\n    return values[99]\n"
T = TypeVar("T")


def spec(name: str, **options: object) -> EvaluatorSpec:
    return EvaluatorSpec(f"{EVALUATORS}:{name}", json.dumps(options))


def once(name: str, source: str = POLICY, limits: Limits = LIMITS, sandbox: SandboxMode = "auto") -> Evaluation:
    [(_, evaluation)] = evaluate(spec(name), source, limits=limits, sandbox=sandbox)
    return evaluation


def with_executor(name: str, use: Callable[[LocalExecutor], Awaitable[T]], jobs: int = 1) -> T:
    async def run() -> T:
        executor = LocalExecutor(spec(name), jobs)
        try:
            return await use(executor)
        finally:
            await executor.close()

    return asyncio.run(run())


@pytest.mark.parametrize("sandbox", ["auto", "none"])
def test_plain_data_rows_and_arrays_cross_and_come_back(sandbox: SandboxMode) -> None:
    evaluation = once("Calls", sandbox=sandbox)
    assert evaluation.status == "ok", evaluation
    assert evaluation.metrics == {
        "echoed": 1, "total": 3, "weighted": 3, "largest": 3, "none": 1, "large": 1, "converted": 1,
    }  # fmt: skip
    assert evaluation.seconds > 0


@pytest.mark.parametrize("name", ["Base", "Swallows", "Trips"])
def test_no_evaluator_hides_a_policys_failure(name: str) -> None:
    evaluation = once(name, CRASHING)
    assert (evaluation.status, evaluation.metrics) == ("crash", {})
    assert "IndexError" in evaluation.error
    assert "line 19: return values[99]" in evaluation.error


def test_the_line_named_is_the_one_that_python_means() -> None:
    source = "\f\nBREAKS = '\v\f\u2028'\n" + CRASHING
    assert "line 21: return values[99]" in once("Base", source).error


def test_refused_answer_is_wrong_with_the_evaluators_words() -> None:
    evaluation = once("Refuses")
    assert (evaluation.status, evaluation.error) == ("wrong", "refused: 3.0 at 0x...")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Broken", "ZeroDivisionError"),
        ("NotFinite", "the metric answer is inf"),
        ("Unsendable", "object"),
        ("Dies", "the simulator tears the house down"),
        ("Unstable", "the same workloads every time"),
        ("BadInterface", "Thing"),
    ],
)
def test_what_the_house_does_wrong_is_no_score(name: str, words: str) -> None:
    with pytest.raises(HouseError, match=words) as caught:
        once(name)
    assert caught.value.status == "evaluator_error"


def test_a_slot_goes_on_after_its_referee_died() -> None:
    async def use(executor: LocalExecutor) -> list[str]:
        [workload] = await executor.workloads("train")
        seen = []
        for _ in range(2):
            try:
                await executor.submit(POLICY, workload, Limits())
            except HouseError as error:
                seen.append(error.status)
        return seen

    assert with_executor("Dies", use) == ["evaluator_error"] * 2


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("no.such.module:Class", "{}", "no.such.module"),
        (f"{EVALUATORS}:Missing", "{}", "no class Missing"),
        (f"{EVALUATORS.parent}/missing.py:Base", "{}", "missing.py"),
        ("no_such_entry_point", "{}", "entry point"),
        (f"{EVALUATORS}:NeedsOptions", '{"colour": 1}', "colour"),
    ],
)
def test_an_evaluator_that_cannot_be_built_is_the_users_mistake(target: str, options: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate(EvaluatorSpec(target, options), POLICY)


def test_moments_of_sleep_in_every_call_add_up() -> None:
    """Shorter than the ticks at which a sleeper is noticed, at no cost of CPU time."""
    napping = """
import _thread
lock = _thread.allocate_lock()
lock.acquire()
def total(values, weights=None):
    lock.acquire(True, 0.03)
    return 3.0
"""
    evaluation = once("Insists", POLICY + napping, Limits(cpu_seconds=0.1))
    assert (evaluation.status, evaluation.seconds < 5) == ("timeout", True)


def test_source_over_the_limit_is_invalid() -> None:
    evaluation = once("Base", POLICY + "#" * 2048, Limits(source_kb=1))
    assert (evaluation.status, evaluation.error) == ("invalid", "the source is longer than 1 KiB")


def test_source_without_the_interface_is_invalid() -> None:
    async def use(executor: LocalExecutor) -> set[str]:
        [workload] = await executor.workloads("train")
        return {(await executor.submit(source, workload, LIMITS)).status for source in ("x = 1", "def f(:")}

    assert with_executor("Base", use) == {"invalid"}


def test_description_is_stable_and_names_the_layers() -> None:
    async def use(executor: LocalExecutor) -> tuple[str, str]:
        description = await executor.describe()
        return description.fingerprint, description.sandbox

    first, second = with_executor("Base", use), with_executor("Base", use)
    assert first == second
    assert {"seccomp"} < set(first[1].split("+"))
    assert any(layer.startswith("landlock-") for layer in first[1].split("+"))


def test_global_generators_and_address_dependent_orders_repeat() -> None:
    drawing = POLICY + (
        "import random\nclass A: pass\n"
        "def total(values, weights=None):\n"
        "    order = [id(x) % 1009 for x in {None, A, A(), (None, 2)}]\n"
        "    return random.random() + np.random.random() + hash(('a', None, str(order))) % 1009\n"
    )
    assert once("Base", drawing).metrics == once("Base", drawing).metrics  # in processes of different referees


def test_many_submissions_share_the_slots() -> None:
    async def use(executor: LocalExecutor) -> set[str]:
        [workload] = await executor.workloads("train")
        return {
            one.status
            for one in await asyncio.gather(*(executor.submit(POLICY, workload, Limits()) for _ in range(20)))
        }

    assert with_executor("Base", use, jobs=2) == {"ok"}


def test_an_abandoned_evaluation_frees_its_slot() -> None:
    async def use(executor: LocalExecutor) -> str:
        [workload] = await executor.workloads("train")
        spinning = POLICY + "\nwhile True: pass\n"
        task = asyncio.create_task(executor.submit(spinning, workload, Limits(cpu_seconds=60)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (await executor.submit(POLICY, workload, Limits())).status

    assert with_executor("Base", use) == "ok"
