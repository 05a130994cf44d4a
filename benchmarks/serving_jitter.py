"""Does a policy need the simulator's exact iteration times? The same workloads with iterations of random length.

    python benchmarks/serving_jitter.py PROBLEM POLICY.py ... [--salt N]

PROBLEM is serving_batching or serving_moe_prefill. Without jitter, an iteration takes what the cost model says of its
batch, to the last digit, so a policy can learn it from the clock. Here each iteration takes that times a log-normal
factor of mean 1, drawn anew for each iteration (decodes without any decision between them share one), on fresh test
workloads. SLOs and loads stay those of the model without jitter. Policies run in this process, so trust them.
"""

from __future__ import annotations

import argparse
import math
import random
import runpy
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from adrs.evaluation.protocol import Workload, WrongAnswer
from adrs.testing.direct import DirectPolicy
from evaluators.serving import ServingBatching, ServingMoePrefill
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.profile import IterationCost
from evaluators.serving.slo.case import Case

JITTERS = (0.0, 0.05, 0.1, 0.2)  # standard deviations of the factor's logarithm
PROBLEMS = {
    "serving_batching": (ServingBatching, "evaluators.serving.batching.interface"),
    "serving_moe_prefill": (ServingMoePrefill, "evaluators.serving.moe_prefill.interface"),
}


@dataclass
class Jittered:
    """An `IterationCost` with a factor for each iteration: its overhead is asked first, and once, then its layers."""

    exact: IterationCost
    sigma: float
    draws: random.Random
    factor: float = 1.0

    def overhead(self, batch: Batch) -> float:
        self.factor = math.exp(self.sigma * self.draws.gauss(0.0, 1.0) - self.sigma**2 / 2)
        return self.exact.overhead(batch) * self.factor

    def layers(self, batch: Batch) -> float:
        return self.exact.layers(batch) * self.factor

    def context_slope(self, decodes: int) -> float:
        return self.exact.context_slope(decodes)


def with_jitter(case: Case, sigma: float, seed: str) -> Case:
    """The same requests and promises on a deployment whose iterations vary."""
    jittered = Jittered(case.deployment.cost, sigma, random.Random(seed))
    return replace(case, deployment=replace(case.deployment, cost=jittered))


def score(problem: str, policy: Path, workload: Workload, sigma: float) -> float:
    """The share of requests served within their SLOs; nan where the policy breaks a rule."""
    kind, interface = PROBLEMS[problem]
    evaluator: Any = kind()
    evaluator._cases[workload.hash] = with_jitter(evaluator._case(workload), sigma, workload.hash)
    sys.modules["interface"] = import_module(interface)
    try:
        return float(evaluator.run(workload, DirectPolicy(runpy.run_path(str(policy))))["slo_attainment"])
    except WrongAnswer as wrong:
        print(f"{policy.stem} on {workload.name}, jitter {sigma:.0%}: {wrong}", file=sys.stderr)
        return math.nan


def main() -> None:
    """Print a row a policy, a column a jitter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("policies", nargs="+", type=Path)
    parser.add_argument("--salt", type=int, default=1)
    options = parser.parse_args()
    workloads = PROBLEMS[options.problem][0]().workloads("test", options.salt)
    print(f"mean over {len(workloads)} workloads of salt {options.salt}")
    print("policy                   " + "".join(f"{f'jitter {sigma:.0%}':>12s}" for sigma in JITTERS))
    for policy in options.policies:
        scores = Parallel(n_jobs=-1)(
            delayed(score)(options.problem, policy, workload, sigma) for sigma in JITTERS for workload in workloads
        )
        means = [
            sum(scores[i * len(workloads) : (i + 1) * len(workloads)]) / len(workloads) for i in range(len(JITTERS))
        ]
        print(f"{policy.stem:25s}" + "".join(f"{mean:12.4f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
