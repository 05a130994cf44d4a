"""The headline: a frozen candidate on freshly drawn test workloads, paired against the seed and every baseline."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from adrs.errors import InputError
from adrs.evaluation import statistics
from adrs.evaluation.executor import Executor
from adrs.evaluation.ledger import Opening, record_opening
from adrs.evaluation.outcome import Listed, Status
from adrs.evaluation.score import PolicyScore, Progress, counter, gather, score_policy
from adrs.evaluation.statistics import Comparison, cluster_means, compare, holm
from adrs.problem import MINIMUM_CLUSTERS, Problem

SALTS = 2**31
ALPHA = 1 - statistics.LEVEL
CANDIDATE = "candidate"

Verdict = Literal["better", "below minimum effect", "no difference shown", "worse", "failed", "comparator failed"]


@dataclass(frozen=True)
class BaselineComparison:
    """Candidate against one baseline or the seed: `difference` is the mean over clusters, candidate minus baseline.

    `p_adjusted` is Holm's over all but the comparator, whose own test is the one named beforehand.
    """

    baseline: str
    score: float | None
    difference: float
    relative: float | None  # difference as a share of the size of the baseline's mean over clusters
    ci95: tuple[float, float]
    p: float
    p_adjusted: float
    significant: bool
    seconds: float  # in the baseline's calls, on all workloads


@dataclass(frozen=True)
class Regime:
    """Mean scores on one kind of workload; `familiar` if train has it."""

    name: str
    familiar: bool
    workloads: int
    score: float | None
    comparator: float | None
    bound: float | None


@dataclass(frozen=True)
class Failure:
    """A policy that failed on a test workload, and so has no score."""

    policy: str
    workload: str  # "" where the text itself is invalid
    status: Status
    error: str


@dataclass(frozen=True)
class Verification:
    """The result. `beats_every_baseline` holds if each comparison, the seed's included, passes at 5 % on its own."""

    problem: str
    fingerprint: str
    salt: int
    opened: int | None
    status: Status
    score: float | None
    bound: float | None
    seconds: float  # in the candidate's calls, on all workloads
    clusters: int
    method: str
    comparator: str
    minimum_effect: float
    comparisons: tuple[BaselineComparison, ...]
    regimes: tuple[Regime, ...]
    failures: tuple[Failure, ...]
    verdict: Verdict
    beats_every_baseline: bool
    notes: tuple[str, ...]

    def json(self, run: str | None = None, candidate: int | None = None) -> dict[str, Any]:
        """What `adrs verify --json` prints, schema 1; `run` and `candidate` tell where the source came from."""
        return {
            "schema": 1,
            "run": run,
            "id": candidate,
            "problem": self.problem,
            "fingerprint": self.fingerprint,
            "salt": self.salt,
            "opened": self.opened,
            "status": self.status,
            "score": self.score,
            "bound": self.bound,
            "seconds": self.seconds,
            "clusters": self.clusters,
            "method": self.method,
            "comparator": self.comparator,
            "minimum_effect": self.minimum_effect,
            "comparisons": [vars(one) | {"ci95": list(one.ci95)} for one in self.comparisons],
            "regimes": [dict(vars(one)) for one in self.regimes],
            "failures": [dict(vars(one)) for one in self.failures],
            "verdict": self.verdict,
            "beats_every_baseline": self.beats_every_baseline,
            "notes": list(self.notes),
        }


async def verify_policy(
    executor: Executor, problem: Problem, source: str, salt: int | None = None, progress: Progress | None = None
) -> Verification:
    """Draw test workloads with a fresh salt (or the one given, to repeat a result) and compare on all of them.

    A candidate or baseline that fails on one workload has no score and is reported as a failure.

    Raises:
        InputError: the salt is out of range, or the test split has fewer clusters than the problem asks for.
        HouseError: the evaluator or the sandbox failed.
    """
    if salt is not None and not 0 <= salt < SALTS:
        raise InputError(f"--salt {salt}: expected a whole number from 0 to {SALTS - 1}")
    description = await executor.describe()
    train = await executor.workloads("train", 0)
    repeated = salt is not None
    salt = secrets.randbelow(SALTS) if salt is None else salt
    test = await executor.workloads("test", salt)
    _require_clusters(problem, test)
    opening = record_opening(problem.name, description.fingerprint, salt)
    scores = await _score_all(executor, problem, source, test, salt, progress)
    comparisons = _compare_all(scores, problem.verify.comparator, [one.cluster for one in test], salt)
    return Verification(
        problem=problem.name,
        fingerprint=description.fingerprint,
        salt=salt,
        opened=opening.count,
        status=scores[CANDIDATE].status,
        score=scores[CANDIDATE].score,
        bound=scores[CANDIDATE].bound,
        seconds=scores[CANDIDATE].seconds,
        clusters=len({one.cluster for one in test}),
        method=statistics.method(len({one.cluster for one in test})),
        comparator=problem.verify.comparator,
        minimum_effect=problem.verify.minimum_effect,
        comparisons=tuple(comparisons),
        regimes=tuple(_regimes(scores, problem, test, {one.regime for one in train})),
        failures=tuple(
            Failure(name, one.failed, one.status, one.error) for name, one in scores.items() if one.status != "ok"
        ),
        verdict=_verdict(scores, problem, comparisons),
        beats_every_baseline=_beats_all(scores, comparisons),
        notes=tuple(_notes(problem, opening, repeated)),
    )


def _require_clusters(problem: Problem, test: Sequence[Listed]) -> None:
    wanted = max(MINIMUM_CLUSTERS, problem.verify.clusters)
    clusters = len({one.cluster for one in test})
    if clusters < wanted:
        raise InputError(
            f"{problem.path or problem.name}: verify.clusters: the evaluator's test split has {clusters} clusters, "
            f"{wanted} are asked for; list more test workloads in independent clusters (at least {MINIMUM_CLUSTERS})"
        )


async def _score_all(
    executor: Executor, problem: Problem, source: str, test: Sequence[Listed], salt: int, progress: Progress | None
) -> dict[str, PolicyScore]:
    """The candidate, the seed and each baseline on the same workloads; equal texts are evaluated once."""
    sources = {CANDIDATE: source, "seed": problem.seed, **problem.baselines}
    texts = list(dict.fromkeys(sources.values()))
    done = counter(progress, len(texts) * len(test))
    results = await gather(
        score_policy(executor, problem, text, "test", salt, workloads=test, done=done) for text in texts
    )
    by_text = dict(zip(texts, results, strict=True))
    return {name: by_text[text] for name, text in sources.items()}


def _compare_all(
    scores: Mapping[str, PolicyScore], comparator: str, clusters: Sequence[str], salt: int
) -> list[BaselineComparison]:
    """Every policy that has a score against the candidate's; nothing if the candidate has none."""
    if scores[CANDIDATE].status != "ok":
        return []
    ours = cluster_means(_values(scores[CANDIDATE]), clusters)
    theirs = {name: cluster_means(_values(one), clusters) for name, one in scores.items() if one.status == "ok"}
    del theirs[CANDIDATE]
    tests = {name: compare(ours - values, salt) for name, values in theirs.items()}
    others = [name for name in tests if name != comparator]
    adjusted = dict(zip(others, holm([tests[name].p for name in others]), strict=True))
    return [
        _described(name, scores[name], test, adjusted.get(name, test.p), float(theirs[name].mean()))
        for name, test in tests.items()
    ]


def _described(name: str, baseline: PolicyScore, test: Comparison, adjusted: float, mean: float) -> BaselineComparison:
    return BaselineComparison(
        baseline=name,
        score=baseline.score,
        difference=test.mean,
        relative=test.mean / abs(mean) if mean else None,
        ci95=(test.ci_low, test.ci_high),
        p=test.p,
        p_adjusted=adjusted,
        significant=replace(test, p=adjusted).significant,
        seconds=baseline.seconds,
    )


def _values(score: PolicyScore) -> list[float]:
    return [one.score for one in score.workloads if one.score is not None]


def _regimes(
    scores: Mapping[str, PolicyScore], problem: Problem, test: Sequence[Listed], familiar: set[str]
) -> list[Regime]:
    regimes = []
    for name in dict.fromkeys(one.regime for one in test):
        members = [index for index, one in enumerate(test) if one.regime == name]
        bounds = [bound for index in members if (bound := problem.objective.bound(test[index].bound)) is not None]
        regimes.append(
            Regime(
                name=name,
                familiar=name in familiar,
                workloads=len(members),
                score=_mean_over(scores[CANDIDATE], members),
                comparator=_mean_over(scores[problem.verify.comparator], members),
                bound=sum(bounds) / len(bounds) if len(bounds) == len(members) else None,
            )
        )
    return regimes


def _mean_over(score: PolicyScore, members: Sequence[int]) -> float | None:
    if score.status != "ok":
        return None
    values = _values(score)
    return sum(values[index] for index in members) / len(members)


def _verdict(scores: Mapping[str, PolicyScore], problem: Problem, comparisons: Sequence[BaselineComparison]) -> Verdict:
    """The candidate against the comparator."""
    if scores[CANDIDATE].status != "ok":
        return "failed"
    comparison = next((one for one in comparisons if one.baseline == problem.verify.comparator), None)
    if comparison is None:
        return "comparator failed"
    if not comparison.significant:
        return "no difference shown"
    if comparison.difference < 0:
        return "worse"
    return "better" if comparison.difference >= problem.verify.minimum_effect else "below minimum effect"


def _beats_all(scores: Mapping[str, PolicyScore], comparisons: Sequence[BaselineComparison]) -> bool:
    """Each test at 5 % without correction: the claim is that all of them hold (an intersection-union test)."""
    every = len(comparisons) == len(scores) - 1
    return every and all(one.p < ALPHA and one.ci95[0] > 0 for one in comparisons)


def _notes(problem: Problem, opening: Opening, repeated: bool) -> list[str]:
    notes = [opening.note] if opening.note else []
    if repeated:
        notes.append("the salt was given: these workloads were not drawn afresh, so this only repeats a result")
        if problem.timed:
            notes.append("its times were measured anew, so that it repeats the result within the noise")
    if problem.objective.aggregate == "worst":
        notes.append("scores are those of the worst workload; differences are means over clusters")
    return notes
