"""Seconds of `evaluators.llm_sql.evaluator.REFERENCE_SECONDS`: the yardstick's CPU time on this machine.

    python benchmarks/llm_sql_yardstick.py

As `adrs.sandbox.timing` measures it: of the whole policy process, from the end of its loading to its answer. Prints the
least, the median and the largest of 40 plays, in milliseconds. The least one is what the machine takes when nobody else
is in its way.
"""

from __future__ import annotations

import statistics
from typing import Any

from adrs.evaluation.outcome import Limits
from adrs.sandbox import contract
from adrs.sandbox.launcher import ForkServer
from adrs.sandbox.policy import JailedPolicy
from evaluators.llm_sql import QueryReordering

PLAYS = 40


def main() -> None:
    evaluator = QueryReordering()
    reference, limits = evaluator.reference, Limits()
    methods = contract.load(evaluator.interface)
    server = ForkServer(evaluator.interface, "auto")
    times: list[float] = []

    class Timed:
        seconds = 0.0

        def call(self, function: str, *arguments: Any) -> Any:
            process, _ = server.spawn(limits.cpu_seconds, limits.memory_mb)
            try:
                policy = JailedPolicy(process, methods, limits)
                policy.load(reference.source)
                answer = policy.call(function, *arguments)
                times.append(policy.cpu_seconds())
                return answer
            finally:
                process.end()

    try:
        for _ in range(PLAYS):
            evaluator.run(reference.workload, Timed())
    finally:
        server.close()
    print(" ".join(f"{1e3 * one:.1f}" for one in (min(times), statistics.median(times), max(times))))


if __name__ == "__main__":
    main()
