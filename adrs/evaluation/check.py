"""Does a problem's set-up hold? Seed and baselines scored twice, and the evaluator held to its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from adrs.evaluation.executor import Executor
from adrs.evaluation.outcome import Listed, Status
from adrs.evaluation.protocol import SPLITS
from adrs.evaluation.score import PolicyScore, Progress, WorkloadScore, counter, gather, score_policy
from adrs.problem import Problem
from adrs.sandbox.timing import steps
from adrs.search.features import CODE_SIZE, no_metric

PROBE_SALT = 1  # lists test workloads, which opens none of them
EXCESS = 1e-9  # a score above its bound by more than this share is not rounding
NOISE_STEPS = 6  # of the grid of times: a third of a time. On a busy machine measurements lie within 3 of their median


@dataclass(frozen=True)
class CheckedPolicy:
    """`noise` is the largest difference of a workload's score between two evaluations."""

    name: str
    kind: Literal["seed", "baseline"]
    status: Status
    score: float | None
    seconds: float
    noise: float
    error: str


@dataclass(frozen=True)
class Check:
    """`findings` are sentences, each a reason not to start a run; empty when the set-up holds."""

    problem: str
    sandbox: str
    deterministic: bool
    timed: bool  # then scores may differ as far as measured times do
    bound: float | None
    policies: tuple[CheckedPolicy, ...]
    findings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """What `adrs check --json` prints, schema 1."""
        policies = [
            {
                "name": policy.name,
                "kind": policy.kind,
                "status": policy.status,
                "score": policy.score,
                "seconds": policy.seconds,
                "noise": policy.noise,
                "error": policy.error,
            }
            for policy in self.policies
        ]
        return {
            "schema": 1,
            "problem": self.problem,
            "sandbox": self.sandbox,
            "deterministic": self.deterministic,
            "timed": self.timed,
            "bound": self.bound,
            "policies": policies,
            "findings": list(self.findings),
        }


async def check_problem(executor: Executor, problem: Problem, progress: Progress | None = None) -> Check:
    """Score seed and baselines on the train split, twice, and look for what would spoil a run.

    Raises:
        HouseError: the evaluator or the sandbox failed.
    """
    description = await executor.describe()
    train = await executor.workloads("train", 0)
    sources = {"seed": problem.seed, **problem.baselines}
    done = counter(progress, 2 * len(sources) * len(train))

    async def twice(source: str) -> tuple[PolicyScore, PolicyScore]:
        first, second = await gather(
            score_policy(executor, problem, source, "train", workloads=train, repeat=repeat, done=done)
            for repeat in (0, 1)
        )
        return first, second

    pairs = dict(zip(sources, await gather(twice(source) for source in sources.values()), strict=True))
    policies = tuple(_checked(name, *pair) for name, pair in pairs.items())
    deterministic = all(_same(*pair) for pair in pairs.values())
    findings = [
        *await _split_findings(executor, problem),
        *_policy_findings(problem, pairs),
        *_feature_findings(problem, pairs["seed"][0]),
        *_noise_findings(problem, pairs),
    ]
    bound = pairs["seed"][0].bound
    return Check(problem.name, description.sandbox, deterministic, problem.timed, bound, policies, tuple(findings))


def _checked(name: str, first: PolicyScore, second: PolicyScore) -> CheckedPolicy:
    pairs = zip(first.workloads, second.workloads, strict=True)
    noise = max((abs(a.score - b.score) for a, b in pairs if a.score is not None and b.score is not None), default=0.0)
    kind: Literal["seed", "baseline"] = "seed" if name == "seed" else "baseline"
    return CheckedPolicy(name, kind, first.status, first.score, first.seconds, noise, first.message)


def _same(first: PolicyScore, second: PolicyScore) -> bool:
    return all(map(_alike, first.workloads, second.workloads))


def _alike(one: WorkloadScore, other: WorkloadScore) -> bool:
    return (one.evaluation.status, one.evaluation.metrics) == (other.evaluation.status, other.evaluation.metrics)


def _steps_apart(one: WorkloadScore, other: WorkloadScore) -> int:
    return abs(steps(one.evaluation.seconds) - steps(other.evaluation.seconds))


def _noise_findings(problem: Problem, pairs: dict[str, tuple[PolicyScore, PolicyScore]]) -> list[str]:
    """Differences between two evaluations of one policy, beyond what different times may explain if times count."""
    evaluations = [
        pair for first, second in pairs.values() for pair in zip(first.workloads, second.workloads, strict=True)
    ]
    timed = problem.timed
    if not all(
        _alike(*pair) for pair in evaluations if not timed or pair[0].evaluation.seconds == pair[1].evaluation.seconds
    ):
        return ["two evaluations of one policy differ: the evaluator has noise"]
    apart = max((_steps_apart(one, other) for one, other in evaluations), default=0)
    if not timed or apart <= NOISE_STEPS:
        return []
    return [
        f"two measurements of one policy's time are {apart} steps of 5 % apart: the machine is too busy for a timed "
        "problem, or its reference too short; 10 milliseconds or more are well measured"
    ]


def _policy_findings(problem: Problem, pairs: dict[str, tuple[PolicyScore, PolicyScore]]) -> list[str]:
    findings = []
    for name, (first, _) in pairs.items():
        if first.status != "ok":
            findings.append(f"{name}: {first.status}: {first.message}")
        for one in first.workloads:
            excess = EXCESS * max(1.0, abs(one.bound or 0.0))
            if one.score is not None and one.bound is not None and one.score > one.bound + excess:
                findings.append(f"{name}: {one.workload.name}: the score {one.score} is above the bound {one.bound}")
    scores = [first.score for first, _ in pairs.values()]
    if len(scores) > 1 and None not in scores and len(set(scores)) == 1:
        findings.append(f"seed and baselines all score {scores[0]}: the {problem.objective.metric} tells none apart")
    return findings


def _feature_findings(problem: Problem, seed: PolicyScore) -> list[str]:
    if seed.status != "ok":
        return []
    known = {CODE_SIZE, *seed.metrics}
    return [no_metric(one.name, seed.metrics) for one in problem.search.features if one.name not in known]


async def _split_findings(executor: Executor, problem: Problem) -> list[str]:
    """Names and hashes of all splits: repeatable, unique, disjoint, and enough clusters for `verify`."""
    lists = {split: await executor.workloads(split, PROBE_SALT if split == "test" else 0) for split in SPLITS}
    findings = [f"the {split} split is empty" for split, listed in lists.items() if not listed]
    for split, listed in lists.items():
        if len({one.name for one in listed}) < len(listed) or len({one.hash for one in listed}) < len(listed):
            findings.append(f"the {split} split lists a workload twice")
    if _identity(lists["test"]) != _identity(await executor.workloads("test", PROBE_SALT)):
        findings.append("the test split listed twice with one salt differs: nobody could repeat a result")
    for one, other in combinations(SPLITS, 2):
        shared = {listed.hash for listed in lists[one]} & {listed.hash for listed in lists[other]}
        if shared:
            findings.append(
                f"{len(shared)} workloads are in {one} and in {other}: a policy is judged on what it has seen"
            )
    clusters = len({listed.cluster for listed in lists["test"]})
    if clusters < problem.verify.clusters:
        findings.append(f"the test split has {clusters} clusters; verify.clusters asks for {problem.verify.clusters}")
    return findings


def _identity(listed: Sequence[Listed]) -> list[tuple[str, str, str]]:
    return [(one.name, one.cluster, one.hash) for one in listed]
