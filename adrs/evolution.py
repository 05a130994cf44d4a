"""The loop: select -> propose -> evaluate -> commit.

Steady state, no generations. The transaction that commits a slot also plans a later one, so that everything adaptive is
a fold over the committed prefix: a seeded run that commits by slot gives one archive whatever the number of jobs, the
timing or the kills, and resuming is nothing but the prefix plus the pending slots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from adrs.archive.journal import CallJournal
from adrs.archive.records import LlmTotals, Outcome, Plan, Slot
from adrs.archive.store import Archive
from adrs.errors import AdrsError, InputError, Interrupted
from adrs.evaluation.cascade import Cascade
from adrs.planner import Planner
from adrs.problem import Budget
from adrs.proposers.base import Brief, BudgetReached, Candidate, Proposal, Proposer, Request
from adrs.search.base import Ranked

SEED = 0  # the id of the seed's candidate


@dataclass(frozen=True)
class Progress:
    """The run after a commit, for whoever watches it."""

    candidate: Candidate  # the one just committed
    committed: int  # candidates so far, the seed not counted
    best: Candidate
    seed_score: float
    budget: Budget
    llm: LlmTotals


class Evolution:
    """One session of a run: from where the archive stands until a budget is reached.

    `prepared` gives the proposal of a slot that needs no proposer (warm starts, replays), or None.
    """

    def __init__(
        self,
        archive: Archive,
        cascade: Cascade,
        planner: Planner,
        proposer: Proposer,
        brief: Brief,
        budget: Budget,
        *,
        prepared: Callable[[Plan], Proposal | None] = lambda plan: None,
        observer: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.archive = archive
        self.cascade = cascade
        self.planner = planner
        self.proposer = proposer
        self.brief = brief
        self.budget = budget
        self.prepared = prepared
        self.observer = observer
        self.journal = CallJournal(archive, budget)
        self.order = archive.info.order
        self.lag = archive.info.lag
        self.best: Candidate | None = None
        self.seed_score = 0.0
        self._by_code: dict[str, int] = {}
        self._committed = 0  # seed included
        self._since_best = 0
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}  # by position
        self._slots: dict[int, Slot] = {}  # pending, by position
        self._held: set[int] = set()  # positions that wait for a commit before they ask again for a call
        self._stopped: str | None = None
        self._wake = asyncio.Event()

    def stop(self, reason: str, at_once: bool = False) -> None:
        """Begin no further slot and finish those in flight; `at_once` abandons them to the next session."""
        if self._stopped is None:
            self._stopped = reason
        if at_once:
            for task in self._tasks.values():
                task.cancel()
        self._wake.set()

    async def run(self) -> str:
        """Go on until a budget is reached. Returns its name.

        Raises:
            InputError: the seed does not pass its own evaluation.
            Interrupted: stopped at once, before the seed had a score.
            AdrsError: the proposer, the evaluator or the sandbox cannot go on; the archive resumes from there.
        """
        minutes = self.budget.minutes
        timer = minutes and asyncio.get_running_loop().call_later(60 * minutes, self.stop, "minutes")
        try:
            for candidate in self.archive.committed():
                self._fold(candidate)
            if self._committed == 0:
                await self._commit_seed()
            for slot in self.archive.pending():
                self._slots[slot.plan.position] = slot
            return await self._steady_state()
        finally:
            if timer:
                timer.cancel()
            await self._abandon()

    async def _steady_state(self) -> str:
        while True:
            reached = self._exact_budget()
            reason = self._stopped or reached
            if reached is not None and self.order == "slot":
                return self._stopped or reached  # reached by a commit: cut exactly there
            if reason is None:
                self._start_due()
            position = await self._next_done()
            if position is None:
                return reason or self._stopped or ("candidates" if self._slots else "exhausted")
            if not self._finish(position, self._tasks.pop(position)) and self.order == "slot":
                return self._stopped or "interrupted"  # nothing behind the gap may be committed

    def _exact_budget(self) -> str | None:
        """The budget that the committed prefix itself has reached."""
        assert self.best is not None and self.best.score is not None
        if self.budget.target is not None and self.best.score >= self.budget.target:
            return "target"
        if self.budget.stagnation is not None and self._since_best >= self.budget.stagnation:
            return "stagnation"
        return None

    def _start_due(self) -> None:
        """Every pending slot within the budget of candidates is in flight: at most `lag` of them."""
        for position, slot in self._slots.items():
            due = self.budget.candidates is None or position <= self.budget.candidates
            if due and position not in self._tasks and position not in self._held:
                self._tasks[position] = asyncio.create_task(self._fill(slot))

    async def _next_done(self) -> int | None:
        """The position that is to be committed next, once it is done; None when nothing is left in flight."""
        while self._tasks:
            waiting = [self._tasks[min(self._tasks)]] if self.order == "slot" else list(self._tasks.values())
            wake = asyncio.create_task(self._wake.wait())
            done, _ = await asyncio.wait([*waiting, wake], return_when=asyncio.FIRST_COMPLETED)
            wake.cancel()
            self._wake.clear()
            for position in sorted(self._tasks):
                if self._tasks[position] in done:
                    return position
        return None

    def _finish(self, position: int, task: asyncio.Task[Outcome]) -> bool:
        """Commit what came of a slot. False when it was cut off: then it stays pending."""
        try:
            outcome = task.result()
        except BudgetReached as reached:
            if self._tasks and self.order == "arrival":  # calls in flight may cost less than was set aside for them
                self._held.add(position)
            else:
                self.stop(reached.budget)
            return False
        except asyncio.CancelledError:
            return False
        self._held.clear()
        self._commit(self._slots.pop(position).plan, outcome)
        return True

    async def _fill(self, slot: Slot) -> Outcome:
        """Propose for a slot, unless that was done before, and evaluate the proposal."""
        proposal = self._recorded(slot)
        if proposal is None:
            proposal = self.prepared(slot.plan) or await self.proposer.propose(self._request(slot.plan))
            self.archive.record_proposal(slot.plan.id, proposal)
        if proposal.status != "ok" or proposal.source is None:
            return Outcome("void" if proposal.status == "ok" else proposal.status, error=proposal.error)
        code_hash, error = await self.cascade.inspect(proposal.source)
        if error and code_hash not in self._by_code:
            return Outcome("invalid", error=error)
        if code_hash in self._by_code:
            return Outcome("duplicate")  # which one is said at the commit
        outcome = await self.cascade.run(code_hash, proposal.source, slot.plan.threshold)
        return await self.cascade.confirm(code_hash, proposal.source) if self._must_confirm(outcome) else outcome

    def _must_confirm(self, outcome: Outcome) -> bool:
        """Whether a measured score may be the best. That only rises: what need not be confirmed now never leads."""
        if not self.cascade.timed or outcome.score is None:
            return False
        return self.best is None or self.best.score is None or outcome.score >= self.best.score

    def _recorded(self, slot: Slot) -> Proposal | None:
        match slot.proposal:
            case None:
                return None
            case "ok" | "unapplied" | "void" as status:
                source = None if slot.source is None else self.archive.source(slot.source)
                return Proposal(status, source, slot.operator, slot.notes, slot.error)
            case other:
                raise AdrsError(f"the archive holds an unknown proposal status {other!r}")

    def _request(self, plan: Plan) -> Request:
        candidate = self.archive.candidate
        return Request(
            slot=plan.id,
            seed=self.archive.info.seed,
            brief=self.brief,
            parent=candidate(plan.parents[0]),
            mates=[candidate(id) for id in plan.parents[1:]],
            inspirations=[candidate(id) for id in plan.inspirations],
            failures=[candidate(id) for id in plan.failures],
            hints=plan.hints,
            journal=self.journal.slot(plan.id),
        )

    def _commit(self, plan: Plan, outcome: Outcome) -> None:
        """One transaction: the slot's outcome, and the plan of the slot that `lag` commits later falls due."""
        with self.archive.transaction():
            self.archive.mark(plan.id, self._committed, self._deduplicated(plan.id, outcome))
            candidate = self.archive.candidate(plan.id)
            self._fold(candidate)
            due = [self._committed - 1 + self.lag] if plan.id != SEED else range(1, self.lag + 1)
            plans = [later for position in due if (later := self.planner.plan(position)) is not None]
            self.archive.insert_plans(plans)
        for planned in plans:
            self._slots[planned.position] = Slot(planned)
        assert self.best is not None
        self.observer(
            Progress(candidate, self._committed - 1, self.best, self.seed_score, self.budget, self.journal.totals)
        )

    def _deduplicated(self, id: int, outcome: Outcome) -> Outcome:
        earlier = self._by_code.get(self.archive.code_hash(id) or "")
        return outcome if earlier is None else Outcome("duplicate", duplicate_of=earlier)

    def _fold(self, candidate: Candidate) -> None:
        """Take a committed candidate into all that is adaptive."""
        code = self.archive.code_hash(candidate.id)
        if code is not None:
            self._by_code.setdefault(code, candidate.id)
        self._committed += 1
        self._since_best += 1
        if candidate.score is not None:
            self._rank(candidate, candidate.score)
        self.planner.observe(candidate)

    def _rank(self, candidate: Candidate, score: float) -> None:
        if candidate.id == SEED:
            self.seed_score = score
        if self.best is None or Ranked.of(candidate).key < Ranked.of(self.best).key:
            if self.best is None or self.best.score is None or score > self.best.score:
                self._since_best = 0
            self.best = candidate

    async def _commit_seed(self) -> None:
        slot = self.archive.slot(SEED)
        task = self._tasks[SEED] = asyncio.create_task(self._fill(slot))
        try:
            outcome = await task
        except asyncio.CancelledError:
            if self._stopped is None:  # cancelled from elsewhere
                raise
            raise Interrupted("interrupted before the seed had a score; `adrs resume` goes on") from None
        finally:
            del self._tasks[SEED]
        if outcome.status != "ok":
            raise InputError(f"seed: {outcome.status} under the problem's own limits: {outcome.error}")
        self._commit(slot.plan, outcome)

    async def _abandon(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.cascade.abandon()
