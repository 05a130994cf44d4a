"""The winner is picked on validation, among the best on train and the seed."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from support.fakes import FakeExecutor, evolution, new_archive, workloads

from adrs.archive.store import Archive
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.problem import Budget
from adrs.winner import FINALISTS, SPACING, Winner, choose_winner, finalists, leader


def evolved(path: Path) -> Archive:
    archive = new_archive(path)
    asyncio.run(evolution(archive, Budget(candidates=40)).run())
    return archive


def choose(archive: Archive, executor: FakeExecutor) -> Winner | None:
    async def run() -> Winner | None:
        return await choose_winner(
            archive, evolution(archive, Budget(), executor=executor).cascade, workloads("validation")
        )

    return asyncio.run(run())


def test_validation_picks_among_the_best_on_train(tmp_path: Path) -> None:
    class Inverse(FakeExecutor):
        """On validation the larger x, the worse, so that the order is not that of train; the seed fails."""

        async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
            x = float(source.split("=")[1])
            return Evaluation("crash", error="seed") if x == 0 else Evaluation("ok", {"nearness": -x})

    archive = evolved(tmp_path / "a.sqlite")
    stood = [id for id, _, _ in finalists(archive, archive.candidate(0))]
    smallest = min(float(archive.candidate(id).source.split("=")[1]) for id in stood if id != 0)
    winner = choose(archive, Inverse())
    assert winner is not None
    assert winner.id in stood
    assert (winner.validation, winner.seed_validation) == (-smallest, None)
    assert leader(archive) == winner


def test_finalists_are_apart_on_train_and_none_is_below_the_seed(tmp_path: Path) -> None:
    archive = evolved(tmp_path / "a.sqlite")
    *best, (last, seed_score, _) = finalists(archive, archive.candidate(0))
    scores = [score for _, score, _ in best]
    assert last == 0
    assert 2 < len(scores) <= FINALISTS
    assert scores[0] == archive.top(1)[0][1]
    assert min(scores) > seed_score
    gaps = [better - worse for better, worse in itertools.pairwise(scores)]
    assert min(gaps) >= SPACING * (scores[0] - seed_score)


def test_the_seed_wins_when_nothing_is_better_on_validation(tmp_path: Path) -> None:
    class Memorised(FakeExecutor):
        """What scores well on train has learned nothing."""

        async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
            return Evaluation("ok", {"nearness": -abs(float(source.split("=")[1]))})

    winner = choose(evolved(tmp_path / "a.sqlite"), Memorised())
    assert winner is not None
    assert (winner.id, winner.validation) == (0, 0.0)


def test_a_commit_after_the_choice_makes_it_void(tmp_path: Path) -> None:
    archive = evolved(tmp_path / "a.sqlite")
    choose(archive, FakeExecutor())
    asyncio.run(evolution(archive, Budget(candidates=41)).run())
    best = archive.top(1)[0]
    assert leader(archive) == Winner(best[0], best[1])
