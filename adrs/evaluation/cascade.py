"""What happens to a proposal: parse and interface check, one small workload, then the rest, raced."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adrs.archive.records import Outcome
from adrs.archive.store import Archive, sha
from adrs.evaluation.executor import Executor, inspect_source
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.problem import Objective


class Cascade:
    """Evaluates sources on the train workloads in their order, cheapest first.

    Every result is stored the moment it arrives, and a stored one is never computed again. The outcome depends on the
    results and the threshold alone, not on where they came from.

    In a timed problem results are measurements, and the best of many is the luckiest of them: what may become the best
    is measured again, and the worse of both measurements counts from then on.
    """

    def __init__(
        self,
        archive: Archive,
        executor: Executor,
        objective: Objective,
        limits: Limits,
        train: Sequence[Listed],
        timed: bool = False,
    ) -> None:
        self.archive = archive
        self.executor = executor
        self.objective = objective
        self.limits = limits
        self.train = train
        self.timed = timed
        self.cached = 0  # evaluations that were not repeated
        self._bounds = [objective.bound(workload.bound) for workload in train]
        self._flying: dict[tuple[str, str, int], asyncio.Task[Evaluation]] = {}

    async def run(self, code_hash: str, source: str, threshold: float | None) -> Outcome:
        """Outcome of an inspected text on the train workloads, up to the first failure or the end of the race.

        Raises:
            HouseError: the evaluator or the sandbox failed.
        """
        scores: list[float] = []
        for workload in self.train:
            evaluation = await self.evaluate(code_hash, source, workload)
            if evaluation.status != "ok":
                return Outcome(evaluation.status, error=evaluation.error, evaluated=len(scores) + 1)
            scores.append(self.objective.score(evaluation.metrics))
            if self._is_beaten(scores, threshold):
                return Outcome("raced", evaluated=len(scores))
        return Outcome("ok", self.objective.combine(scores), evaluated=len(scores))

    async def confirm(self, code_hash: str, source: str) -> Outcome:
        """Outcome of a text that has passed, with every train workload measured once more. Raises HouseError."""
        scores: list[float] = []
        for workload in self.train:
            evaluation = await self.measure_again(code_hash, source, workload)
            if evaluation.status != "ok":
                return Outcome(evaluation.status, error=evaluation.error, evaluated=len(scores) + 1)
            scores.append(self.objective.score(evaluation.metrics))
        return Outcome("ok", self.objective.combine(scores), evaluated=len(scores))

    async def measure_again(self, code_hash: str, source: str, workload: Listed) -> Evaluation:
        """A second measurement, unless it is stored; of both the one that counts."""
        await self.evaluate(code_hash, source, workload, repeat=1)
        counts = self.archive.evaluation(code_hash, workload.hash)
        assert counts is not None, "it was measured before"
        return counts

    async def inspect(self, source: str) -> tuple[str, str]:
        """(code hash, "" or why the text is invalid). An invalid text's hash is that of the text."""
        key = sha(source)
        known = self.archive.inspection(key)
        if known is None:
            self.archive.record_inspection(key, await inspect_source(self.executor, source, self.limits))
            known = self.archive.inspection(key)
            assert known is not None
        return known[0], known[2]

    async def evaluate(self, code_hash: str, source: str, workload: Listed, repeat: int | None = None) -> Evaluation:
        """One evaluation: stored, under way for another slot, or run now. Without `repeat`, the one that counts."""
        stored = self.archive.evaluation(code_hash, workload.hash, repeat)
        if stored is not None:
            self.cached += 1
            return stored
        key = (code_hash, workload.hash, repeat or 0)
        if key not in self._flying:
            self._flying[key] = asyncio.create_task(self._submit(code_hash, source, workload, repeat or 0))
            self._flying[key].add_done_callback(lambda _: self._flying.pop(key))
        return await asyncio.shield(self._flying[key])

    async def _submit(self, code_hash: str, source: str, workload: Listed, repeat: int) -> Evaluation:
        evaluation = await self.executor.submit(source, workload, self.limits, repeat)
        self.archive.record_evaluation(code_hash, workload.hash, evaluation, repeat)
        return evaluation

    async def abandon(self) -> None:
        """End the evaluations under way; nothing is stored for them."""
        tasks = list(self._flying.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_beaten(self, scores: list[float], threshold: float | None) -> bool:
        """Whether even the bound on every workload to come leaves the score below the threshold (exact elimination)."""
        rest = self._bounds[len(scores) :]
        if threshold is None or not rest:
            return False
        if self.objective.aggregate == "worst":
            return min(scores) < threshold
        known = [bound for bound in rest if bound is not None]
        return len(known) == len(rest) and self.objective.combine([*scores, *known]) < threshold
