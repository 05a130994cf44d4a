"""No process outlives its run, whoever is killed, and whoever is killed is noticed or replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Limits

EVALUATOR = f"{Path(__file__).with_name('machine.py')}:Machine"
COORDINATOR = """
import asyncio, sys
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Limits

async def main():
    executor = LocalExecutor(EvaluatorSpec(sys.argv[1]), jobs=2)
    workload = (await executor.workloads("train"))[0]
    spinning = "while True: pass"
    limits = Limits(cpu_seconds=600)
    await asyncio.gather(*(executor.submit(spinning, workload, limits) for _ in range(2)))

asyncio.run(main())
"""


def descendants(pid: int) -> list[int]:
    """All processes below one, itself first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(map(int, task.read_text().split()))
    return found


def status_of(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status; none for a process that has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def policies(pid: int) -> list[int]:
    """The policy processes below a process: the only ones with a system call filter."""
    return [one for one in descendants(pid) if status_of(one).get("Seccomp") == "2"]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 10) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


@pytest.fixture
def busy_run() -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A coordinator with two endless evaluations under way, and the pids of all its processes."""
    coordinator = subprocess.Popen([sys.executable, "-c", COORDINATOR, EVALUATOR], start_new_session=True)
    while len(policies(coordinator.pid)) < 2 and coordinator.poll() is None:
        time.sleep(0.02)
    pids = descendants(coordinator.pid)
    yield coordinator, pids
    for pid in reversed(pids):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    coordinator.wait()


@pytest.mark.parametrize("whom", ["coordinator", "group"])
def test_nothing_survives_a_killed_coordinator(busy_run: tuple[subprocess.Popen[bytes], list[int]], whom: str) -> None:
    coordinator, pids = busy_run
    assert len(pids) >= 8  # coordinator, clerk, and two slots with referee, fork-server and policy process each
    (os.kill if whom == "coordinator" else os.killpg)(coordinator.pid, signal.SIGKILL)
    coordinator.wait()
    assert wait_until_gone(pids) == []


def test_nothing_survives_a_closed_executor() -> None:
    async def run() -> list[int]:
        executor = LocalExecutor(EvaluatorSpec(EVALUATOR), jobs=1)
        workload = (await executor.workloads("train"))[0]
        task = asyncio.create_task(executor.submit("while True: pass", workload, Limits(cpu_seconds=600)))
        while not policies(os.getpid()):
            await asyncio.sleep(0.02)
        pids = descendants(os.getpid())[1:]
        task.cancel()
        await executor.close()
        return pids

    assert wait_until_gone(asyncio.run(run())) == []


def test_a_close_that_is_cancelled_is_waited_for_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Nested work is cancelled at each level, so more than once; asyncio complains of a lost exit status."""

    async def run() -> None:
        executor = LocalExecutor(EvaluatorSpec(EVALUATOR), jobs=1)
        workload = (await executor.workloads("train"))[0]
        task = asyncio.create_task(executor.submit("while True: pass", workload, Limits(cpu_seconds=600)))
        while not policies(os.getpid()):
            await asyncio.sleep(0.02)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(task, return_exceptions=True)
        await executor.close()
        assert descendants(os.getpid())[1:] == []

    asyncio.run(run())
    assert caplog.text == ""


@pytest.mark.parametrize("whom", ["fork-server", "policy"])
def test_an_evaluation_survives_the_death_of_its_helpers(whom: str) -> None:
    """The fork-server is replaced and the evaluation repeated; a killed policy process is the policy's own end."""
    source = "def choose(queue, history):\n    return 0\nfor _ in range(2 * 10**7 if SLOW else 0): pass\n"

    async def run() -> str:
        executor = LocalExecutor(EvaluatorSpec(EVALUATOR), jobs=1)
        try:
            workload = (await executor.workloads("train"))[0]
            task = asyncio.create_task(executor.submit(source.replace("SLOW", "True"), workload, Limits()))
            while not (found := policies(os.getpid())):
                await asyncio.sleep(0.02)
            os.kill(int(status_of(found[0])["PPid"]) if whom == "fork-server" else found[0], signal.SIGKILL)
            return (await task).status
        finally:
            await executor.close()

    assert asyncio.run(run()) == {"fork-server": "ok", "policy": "memory"}[whom]


def test_a_clerk_killed_from_outside_makes_no_text_invalid() -> None:
    async def run() -> str:
        executor = LocalExecutor(EvaluatorSpec(EVALUATOR), jobs=1)
        try:
            await executor.workloads("train")  # the clerk alone has been started
            for pid in descendants(os.getpid())[1:]:
                os.kill(pid, signal.SIGKILL)
            return (await executor.inspect("def choose(queue, history):\n    return 0\n")).status
        finally:
            await executor.close()

    assert asyncio.run(run()) == "ok"


def test_a_wall_clock_timeout_is_tried_again_alone() -> None:
    """A policy process that the machine holds up, as no policy can do itself, ends in no timeout."""
    source = "for _ in range(3_000_000): pass\ndef choose(queue, history):\n    return 0\n"

    async def run() -> str:
        executor = LocalExecutor(EvaluatorSpec(EVALUATOR), jobs=1)
        try:
            workload = (await executor.workloads("train"))[0]
            task = asyncio.create_task(executor.submit(source, workload, Limits(cpu_seconds=0.6)))
            while not (found := policies(os.getpid())):
                await asyncio.sleep(0.005)
            os.kill(found[0], signal.SIGSTOP)
            while alive(found[0]):
                await asyncio.sleep(0.02)
            return (await task).status
        finally:
            await executor.close()

    assert asyncio.run(run()) == "ok"
