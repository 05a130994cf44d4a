"""What the loop itself costs: `python benchmarks/loop.py [scale|calls|evaluations ...]` prints one table each.

scale        coordinator CPU and disk a candidate, with a proposer and an evaluator that cost nothing
calls        candidates a second with 32 LLM calls in flight, over HTTP to a local server with lognormal latency
evaluations  candidates a second with evaluations of 0.5 CPU-seconds behind the wall and a free proposer
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from adrs.archive.records import RunInfo
from adrs.archive.store import Archive
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.executor import Description, EvaluatorSpec, Executor
from adrs.evaluation.interface import Function, Interface
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed
from adrs.evaluation.protocol import Split
from adrs.evolution import Evolution, Progress
from adrs.planner import StrategyPlanner
from adrs.problem import Budget, Objective, Search
from adrs.proposers.base import Brief, Candidate, Proposal, Proposer, Request
from adrs.proposers.llm import LlmConfig, LlmProposer
from adrs.search import build_strategy

INTERFACE = Interface((Function("decide", ("n",), 1, ""),), "def decide(n: int) -> int: ...")
BRIEF = Brief("loop", "Loop", "Return a number.", INTERFACE, "maximize value (mean over the workloads)", 64)
IN_FLIGHT = 32
WORKLOADS = [Listed("train", 0, i, f"w{i}", "r", f"c{i}", f"hash-{i}", {"value": 1.0}) for i in range(8)]


def source(number: int) -> str:
    """A policy of 150 lines that holds a number."""
    lines = [f"def helper_{i}(value):\n    return value * {i} + 1  # one of many steps\n" for i in range(49)]
    return f"NUMBER = {number}\n" + "\n".join(lines) + "\n\ndef decide(n):\n    return NUMBER\n"


class FreeProposer:
    """Writes another number into the parent; costs nothing."""

    name = "free"
    order: Literal["slot", "arrival"] = "slot"
    lag = 4

    def describe(self) -> str:
        return "free"

    def observe(self, candidate: Candidate) -> None:
        """Learns nothing."""

    def hints(self) -> Mapping[str, Any]:
        return {"weights": [0.1] * 8}

    async def propose(self, request: Request) -> Proposal:
        return Proposal("ok", source(request.slot), "number", {"site": "NUMBER"})

    async def close(self) -> None:
        """Holds nothing."""


class FreeExecutor:
    """Answers at once: a pseudo-random value a (source, workload)."""

    async def describe(self) -> Description:
        return Description(INTERFACE, sandbox="none", fingerprint="free")

    async def workloads(self, split: Split, salt: int = 0) -> Sequence[Listed]:
        return WORKLOADS

    async def inspect(self, source: str) -> Inspection:
        return Inspection("ok", hashlib.sha256(source.encode()).hexdigest()[:32], 600)

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        value = random.Random(f"{source[:20]}{workload.hash}").random()
        metrics = dict.fromkeys(("value", "throughput", "makespan", "p50", "p99", "moved_gb"), value)
        return Evaluation("ok", metrics, seconds=0.01)

    async def close(self) -> None:
        """Holds nothing."""


def evolution(
    path: Path,
    proposer: Proposer,
    executor: Executor,
    train: Sequence[Listed],
    budget: Budget,
    observer: Callable[[Progress], None],
) -> Evolution:
    info = RunInfo(
        problem="loop", problem_hash="", snapshot="{}", fingerprint="free", limits_hash="", seed=0,
        objective={"metric": "value", "direction": "maximize", "aggregate": "mean"}, order=proposer.order,
        lag=proposer.lag, strategy="islands", proposer={"kind": "free"}, sandbox="", environment={},
    )  # fmt: skip
    archive = Archive.create(path, info, source(0), train)
    planner = StrategyPlanner(build_strategy(Search()), proposer, seed=0)
    cascade = Cascade(archive, executor, Objective("value"), Limits(), train)
    return Evolution(archive, cascade, planner, proposer, BRIEF, budget, observer=observer)


def scale(folder: Path, sizes: tuple[int, ...] = (100, 1_000, 10_000)) -> None:
    """CPU over the last tenth before each size, and disk over all that was written up to there."""
    path = folder / "scale.sqlite"
    cpu: dict[int, float] = {}
    text = len(source(10_000))
    print(f"\n{'candidates':>10} {'CPU ms/candidate':>17} {'disk/source':>12} {'log MB':>7} {'memory MB':>10}")

    def observer(progress: Progress) -> None:
        at = progress.committed
        for size in sizes:
            if at == size - size // 10:
                cpu[size] = time.process_time()
            elif at == size:
                spent = 1000 * (time.process_time() - cpu[size]) / (size // 10)
                disk = path.stat().st_size / size / text
                log = (folder / "scale.sqlite-wal").stat().st_size / 1e6  # bounded, and gone when the run ends
                print(f"{size:>10} {spent:>17.2f} {disk:>12.2f} {log:>7.1f} {_memory_mb():>10.0f}", flush=True)

    loop = evolution(path, FreeProposer(), FreeExecutor(), WORKLOADS, Budget(candidates=sizes[-1]), observer)
    asyncio.run(loop.run())


def calls(folder: Path, minutes: float = 4.0) -> None:
    """The share of the time in which the 32 calls in flight are at the server; all of it is the ideal rate."""
    log = folder / "calls.log"
    server = subprocess.Popen(
        [sys.executable, "tests/proposers/llm_server.py", "--print-port", "--log", str(log),
         "--median", "2", "--sigma", "0.6", "--slow-share", "0.01", "--slow-seconds", "60"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    proposer = LlmProposer(LlmConfig(model="local", base_url=url, concurrency=IN_FLIGHT))
    committed = 0

    def observer(progress: Progress) -> None:
        nonlocal committed
        committed = progress.committed

    async def measure() -> None:
        loop = evolution(folder / "calls.sqlite", proposer, FreeExecutor(), WORKLOADS, Budget(), observer)
        asyncio.get_running_loop().call_later(60 * minutes, loop.stop, "minutes", True)
        await loop.run()
        await proposer.close()

    cpu = time.process_time()
    asyncio.run(measure())
    ended, cpu = time.time(), time.process_time() - cpu
    server.kill()
    busy, seconds = _busy(log, ended)
    print(
        f"\n{IN_FLIGHT} calls in flight for {seconds:.0f} s: {committed / seconds:.2f} candidates/s,"
        f" {busy:.1%} of the ideal; CPU {1000 * cpu / committed:.1f} ms/candidate with its call,"
        f" memory {_memory_mb():.0f} MB"
    )


def _busy(log: Path, ended: float) -> tuple[float, float]:
    """Share of the time since the first call in which calls were at the server, and that time in seconds."""
    busy, arrived = 0.0, {}
    events = [json.loads(line) for line in log.read_text().splitlines()]
    for event in events:
        if event["event"] == "request":
            arrived[event["n"]] = event["time"]
        else:
            busy += min(event["time"], ended) - arrived.pop(event["n"])
    busy += sum(ended - time for time in arrived.values())
    seconds = ended - events[0]["time"]
    return busy / IN_FLIGHT / seconds, seconds


def evaluations(folder: Path, candidates: int = 120) -> None:
    """Against 2 cores that do nothing but evaluate."""
    file = folder / "burn.py"
    file.write_text(_BURN)
    (folder / "interface.py").write_text(INTERFACE.text + "\n")
    cores = os.cpu_count() or 1

    async def measure() -> float:
        executor = LocalExecutor(EvaluatorSpec(f"{file}:Burn"), jobs=cores)
        train = list(await executor.workloads("train"))
        began: list[float] = []
        loop = evolution(
            folder / "evaluations.sqlite", FreeProposer(), executor, train, Budget(candidates=candidates),
            lambda progress: began.append(time.monotonic()),
        )  # fmt: skip
        await loop.run()
        await executor.close()
        return candidates / (began[-1] - began[0])

    rate, ideal = asyncio.run(measure()), cores / 0.5
    print(
        f"\nevaluations of 0.5 CPU-seconds: {rate:.2f} candidates/s, {rate / ideal:.1%} of {cores} cores' {ideal:.0f}"
    )


_BURN = """
import time
from pathlib import Path
from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Workload

class Burn:
    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def workloads(self, split, salt):
        return [Workload("burn", "r", "c")]

    def run(self, workload, policy):
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass
        return {"value": 1.0 / (1 + abs(policy.call("decide", 1)))}

    def bound(self, workload):
        return {}
"""


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parts = {"scale": scale, "calls": calls, "evaluations": evaluations}
    print(f"{date.today()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as folder:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
