"""How fast serving is simulated: one Llama-3.1-8B on an H100 serves Azure conversations near saturation.

vLLM V1's scheduler, as a policy across the wall (`seeds/serving_batching/vllm_v1.py` in the jail) and as the engine's
own in this process, over growing streams: requests a second of real time, decisions a request, what a decision costs at
the wall, and the peak memory of the process that simulates. For scale, measured elsewhere on 2 cores: Vidur 100
requests/s (2,000 requests on 4 replicas, Sarathi scheduler, 20 s), splitwise-sim 240 (4,000 on 2 DGX-H100, 16.5 s).

Run `python benchmarks/serving_speed.py`; it takes about a minute, with `--large` (1 million requests) some ten.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation, Limits
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload
from adrs.sandbox.policy import JailedPolicy
from evaluators.serving.batching import ServingBatching
from evaluators.serving.batching.asking import Asking
from evaluators.serving.cost.deployment import Limits as EngineLimits
from evaluators.serving.cost.deployment import deployment
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.scheduler import Scheduler
from evaluators.serving.engine.serve import serve
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.traffic.azure import CONVERSATION

POLICY = Path(__file__).parents[1] / "seeds" / "serving_batching" / "vllm_v1.py"
RATE = 17.0  # requests/s: 90 % of what the engine gets through while a queue is never empty
BUDGET = 1024  # tokens of an iteration, as in the policy
SIZES = (1_000, 10_000, 100_000)
LARGE = 1_000_000
NEVER = float("inf")


class Speed:
    """Serves a stream with the policy and reports the seconds that this took, of the policy's process too."""

    interface = ServingBatching.interface

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return [Workload(str(count), "speed", str(count), {"count": count}) for count in (*SIZES, LARGE)]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        assert isinstance(policy, JailedPolicy)
        asking = Asking(policy, NEVER)
        before = policy.cpu_seconds()
        seconds, cpu = timed(asking, workload.parameters["count"])
        cpu += policy.cpu_seconds() - before
        return {"seconds": seconds, "cpu": cpu, "decisions": float(asking.decisions), "memory_mb": peak_mb()}

    def bound(self, workload: Workload) -> Metrics:
        return {}


def timed(scheduler: Scheduler, count: int) -> tuple[float, float]:
    """Seconds that serving takes, and CPU seconds of this process; the generation of the requests included."""
    on = deployment("Llama-3.1-8B", "H100", limits=EngineLimits(8192))
    started, cpu = time.perf_counter(), time.process_time()
    recorder = Recorder()
    serve(Instance(on, scheduler, recorder), islice(CONVERSATION.requests(RATE, seed=1), count))
    assert recorder.finished == count
    return time.perf_counter() - started, time.process_time() - cpu


def in_process(count: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory in MB, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_in_process, (count,))


def _in_process(count: int) -> tuple[float, float, float]:
    return *timed(VllmV1(max_batch_tokens=BUDGET), count), peak_mb()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def across_the_wall(place: int) -> Evaluation:
    """Of the stream at this place, in a referee of its own."""
    executor = LocalExecutor(EvaluatorSpec(f"{Path(__file__).resolve()}:Speed"), jobs=1)
    try:
        workloads = await executor.workloads("train")
        limits = Limits(cpu_seconds=3600, call_seconds=60, memory_mb=1024)
        return await executor.submit(POLICY.read_text(), workloads[place], limits)
    finally:
        await executor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how many requests are simulated a second.")
    parser.add_argument("--large", action="store_true", help="a million requests, too")
    sizes = (*SIZES, LARGE) if parser.parse_args().large else SIZES
    print(f"{'requests/s of':>14}{'CPU':>10}{'real time':>11}{'decisions/request':>19}{'MB':>6}")
    for place, count in enumerate(sizes):
        evaluation = asyncio.run(across_the_wall(place))
        assert evaluation.status == "ok", evaluation.error
        metrics = evaluation.metrics
        show("wall", count, metrics["cpu"], metrics["seconds"], metrics["memory_mb"], metrics["decisions"] / count)
        seconds, cpu, memory = in_process(count)
        show("in process", count, cpu, seconds, memory)


def show(where: str, count: int, cpu: float, seconds: float, memory: float, decisions: float | None = None) -> None:
    asked = "" if decisions is None else f"{decisions:.2f}"
    print(f"{count:>10,} {where:10}{count / cpu:8,.0f}{count / seconds:11,.0f}{asked:>14}{memory:11.0f}", flush=True)


if __name__ == "__main__":
    main()
