"""The loop's promises, on a problem that costs nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.fakes import FakeExecutor, StepProposer, evolution, jitter, new_archive, statuses

from adrs.archive.digest import digest
from adrs.archive.store import Archive
from adrs.errors import InputError, Interrupted, ProposerError
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.evolution import Progress
from adrs.problem import Budget
from adrs.proposers.base import Proposal, Request

JOBS_AHEAD = 4 * 3  # slots in flight when the budget ends the run, times workloads


def run_whole(path: Path, budget: Budget, **parts: object) -> Archive:
    archive = new_archive(path)
    asyncio.run(evolution(archive, budget, **parts).run())  # type: ignore[arg-type]
    return archive


def test_a_run_reaches_its_budget_of_candidates_and_improves_on_the_seed(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite")
    assert asyncio.run(evolution(archive, Budget(candidates=120)).run()) == "candidates"
    assert archive.count_committed() == 121
    seed = archive.candidate(0)
    best_id, best_score, _ = archive.top(1)[0]
    assert seed.score == -4.0
    assert best_score == pytest.approx(-2 / 3, abs=0.15)
    assert archive.candidate(best_id).scores.keys() == {"w0", "w1", "w2"}
    assert {"ok", "duplicate", "crash", "invalid", "unapplied"} <= statuses(archive).keys()


@pytest.mark.parametrize("strategy", ["islands", "topk", "best_of_n"])
def test_one_archive_whatever_the_jobs_and_the_timing(tmp_path: Path, strategy: str) -> None:
    digests = set()
    for trial, jobs in enumerate((1, 2, 7)):
        archive = run_whole(
            tmp_path / f"{trial}.sqlite",
            Budget(candidates=60),
            executor=FakeExecutor(jitter(trial), jobs),
            proposer=StepProposer(delay=jitter(100 + trial)),
            strategy=strategy,
        )
        digests.add(digest(archive))
    assert len(digests) == 1


def test_another_seed_gives_another_archive(tmp_path: Path) -> None:
    digests = set()
    for seed in (1, 2):
        archive = new_archive(tmp_path / f"{seed}.sqlite", seed=seed)
        asyncio.run(evolution(archive, Budget(candidates=20)).run())
        digests.add(digest(archive))
    assert len(digests) == 2


def test_runs_with_different_budgets_are_prefixes_of_each_other(tmp_path: Path) -> None:
    short = run_whole(tmp_path / "short.sqlite", Budget(candidates=25))
    long = run_whole(tmp_path / "long.sqlite", Budget(candidates=80))
    assert digest(short) == digest(long, 26) != digest(long, 25)


def test_resuming_with_a_larger_budget_equals_one_long_run(tmp_path: Path) -> None:
    whole = run_whole(tmp_path / "whole.sqlite", Budget(candidates=80))
    parts = new_archive(tmp_path / "parts.sqlite")
    for candidates in (1, 7, 30, 80):
        asyncio.run(evolution(parts, Budget(candidates=candidates)).run())
    assert digest(parts) == digest(whole)


def test_cancelled_anywhere_and_resumed_it_gives_the_same_archive_and_repeats_nothing(tmp_path: Path) -> None:
    whole = run_whole(tmp_path / "whole.sqlite", Budget(candidates=60))
    archive = new_archive(tmp_path / "cut.sqlite")
    executors = []

    async def cut(session: int) -> None:
        executor = FakeExecutor(jitter(session, 0.001))
        executors.append(executor)
        task = asyncio.create_task(evolution(archive, Budget(candidates=60), executor=executor).run())
        await asyncio.wait({task}, timeout=0.02 + 0.002 * session)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    session = 0
    while archive.count_committed() < 61:
        asyncio.run(cut(session))
        session += 1
    assert session > 3
    assert digest(archive) == digest(whole)
    assert archive.db.execute("SELECT count(DISTINCT id) = count(*) FROM candidate").fetchone() == (1,)


def test_nothing_finished_is_evaluated_again(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite")
    executor = FakeExecutor()

    async def sessions() -> None:
        for candidates in (10, 20, 40):
            await evolution(archive, Budget(candidates=candidates), executor=executor).run()

    asyncio.run(sessions())
    code_of = dict(archive.db.execute("SELECT text, code_hash FROM source").fetchall())
    submitted = [(code_of[source], workload) for source, workload in executor.submitted]
    assert len(submitted) == len(set(submitted))


def test_results_that_are_there_already_change_nothing_but_the_work(tmp_path: Path) -> None:
    whole = run_whole(tmp_path / "whole.sqlite", Budget(candidates=60))
    cached = new_archive(tmp_path / "cached.sqlite")
    rows = whole.db.execute("SELECT * FROM evaluation ORDER BY code_hash, workload").fetchall()
    with cached.transaction() as db:
        db.executemany("INSERT INTO evaluation VALUES (?,?,?,?,?,?,?,?,?)", rows[::2])
    executor = FakeExecutor()
    asyncio.run(evolution(cached, Budget(candidates=60), executor=executor).run())
    assert digest(cached) == digest(whole)
    assert 0 < len(executor.submitted) <= len(rows) - len(rows[::2]) + JOBS_AHEAD


def test_target_and_stagnation_cut_exactly_where_they_are_reached(tmp_path: Path) -> None:
    archives = []
    for trial in range(2):
        archive = new_archive(tmp_path / f"{trial}.sqlite")
        loop = evolution(archive, Budget(target=-1.5), executor=FakeExecutor(jitter(trial), jobs=1 + trial))
        assert asyncio.run(loop.run()) == "target"
        *before, last = archive.committed()
        assert last.score is not None and last.score >= -1.5
        assert all(candidate.score is None or candidate.score < -1.5 for candidate in before)
        archives.append(digest(archive))
    assert len(set(archives)) == 1
    archive = new_archive(tmp_path / "stagnation.sqlite")
    assert asyncio.run(evolution(archive, Budget(stagnation=30)).run()) == "stagnation"
    scores = [candidate.score for candidate in archive.committed()]
    assert max(s for s in scores[:-30] if s is not None) >= max(s for s in scores[-30:] if s is not None)


def test_minutes_end_the_run_and_what_is_in_flight_is_finished(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite")
    loop = evolution(archive, Budget(minutes=0.002), executor=FakeExecutor(lambda: 0.01))
    assert asyncio.run(loop.run()) == "minutes"
    assert archive.count_committed() > 1
    started = [slot for slot in archive.pending() if slot.proposal is not None]
    assert started == []


def test_stopping_twice_abandons_what_is_in_flight_and_loses_nothing_committed(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite")

    async def interrupted() -> str:
        executor = FakeExecutor()
        loop = evolution(archive, Budget(), executor=executor)
        task = asyncio.create_task(loop.run())
        while archive.count_committed() < 5:
            await asyncio.sleep(0.001)
        executor.delay = lambda: 60.0
        await asyncio.sleep(0.02)
        loop.stop("interrupted")
        loop.stop("interrupted", at_once=True)
        return await asyncio.wait_for(task, 5)

    assert asyncio.run(interrupted()) == "interrupted"
    candidates = archive.count_committed() + 10
    asyncio.run(evolution(archive, Budget(candidates=candidates)).run())
    whole = run_whole(tmp_path / "whole.sqlite", Budget(candidates=candidates))
    assert digest(archive) == digest(whole)


def test_a_target_cuts_exactly_also_while_what_is_in_flight_is_finished(tmp_path: Path) -> None:
    whole = run_whole(tmp_path / "whole.sqlite", Budget(target=-1.5))
    archive = new_archive(tmp_path / "stopped.sqlite")

    def stop_just_before(progress: Progress) -> None:
        if progress.committed == whole.count_committed() - 2:
            loop.stop("interrupted")

    loop = evolution(archive, Budget(target=-1.5), observer=stop_just_before)
    assert asyncio.run(loop.run()) == "interrupted"
    assert digest(archive) == digest(whole)


def test_stopping_twice_abandons_the_seed_too(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite")

    async def interrupted() -> None:
        executor = FakeExecutor(lambda: 60.0)
        loop = evolution(archive, Budget(), executor=executor)
        task = asyncio.create_task(loop.run())
        while not executor.submitted:
            await asyncio.sleep(0.001)
        loop.stop("interrupted")
        loop.stop("interrupted", at_once=True)
        await asyncio.wait_for(task, 5)

    with pytest.raises(Interrupted):
        asyncio.run(interrupted())
    assert archive.count_committed() == 0
    asyncio.run(evolution(archive, Budget(candidates=10)).run())
    assert digest(archive) == digest(run_whole(tmp_path / "whole.sqlite", Budget(candidates=10)))


class Paying(StepProposer):
    """Sets 100 tokens aside for a call that then takes 10."""

    async def propose(self, request: Request) -> Proposal:
        assert request.journal is not None
        call = request.journal.sent("model", [], 100, 0.0)
        await asyncio.sleep(0.001)
        request.journal.received(call, "reply", 9, 1, 0.0)
        return await super().propose(request)


def test_a_call_without_room_beside_those_in_flight_waits_for_them(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "a.sqlite", order="arrival")
    budget = Budget(tokens=250)
    assert asyncio.run(evolution(archive, budget, proposer=Paying("arrival")).run()) == "tokens"
    assert 150 < archive.llm_totals().tokens <= 250


def test_by_arrival_a_slow_proposal_stalls_nobody(tmp_path: Path) -> None:
    class OneSlow(StepProposer):
        async def propose(self, request: Request) -> Proposal:
            if request.slot == 1:
                await asyncio.sleep(0.3)
            return await super().propose(request)

    archive = new_archive(tmp_path / "a.sqlite", order="arrival")
    asyncio.run(evolution(archive, Budget(candidates=40), proposer=OneSlow("arrival")).run())
    order = [candidate.id for candidate in archive.committed()]
    assert sorted(order) == list(range(41))
    assert order.index(1) > 10


def test_a_seed_that_fails_its_own_evaluation_is_the_users_mistake(tmp_path: Path) -> None:
    class Refusing(FakeExecutor):
        async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
            return Evaluation("wrong", error="expected 3 numbers, got 2")

    archive = new_archive(tmp_path / "a.sqlite")
    with pytest.raises(InputError, match=r"seed: wrong .*expected 3 numbers"):
        asyncio.run(evolution(archive, Budget(candidates=3), executor=Refusing()).run())


def test_a_proposer_that_cannot_go_on_ends_the_run_and_it_resumes(tmp_path: Path) -> None:
    class Revoked(StepProposer):
        async def propose(self, request: Request) -> Proposal:
            if request.slot > 10:
                raise ProposerError("401: the key was revoked")
            return await super().propose(request)

    archive = new_archive(tmp_path / "a.sqlite")
    with pytest.raises(ProposerError, match="revoked"):
        asyncio.run(evolution(archive, Budget(candidates=30), proposer=Revoked()).run())
    assert archive.count_committed() == 11
    asyncio.run(evolution(archive, Budget(candidates=30)).run())
    assert digest(archive) == digest(run_whole(tmp_path / "whole.sqlite", Budget(candidates=30)))
