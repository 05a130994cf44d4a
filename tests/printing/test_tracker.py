"""What a watcher counts, under a clock that the test turns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from adrs.archive.records import LlmTotals
from adrs.evaluation.outcome import Status
from adrs.evolution import Progress
from adrs.printing.tracker import Tracker
from adrs.printing.watch import Lines, Panel
from adrs.problem import Budget
from adrs.proposers.base import Candidate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Session:
    """A made-up run, committed candidate by candidate."""

    def __init__(self, budget: Budget, seed_score: float = 1.0) -> None:
        self.budget = budget
        self.seed_score = seed_score
        self.best = self.last = Candidate(0, (), "", "seed", "ok", seed_score)
        self.llm = LlmTotals(0, 0, 0.0)

    def seed(self) -> Progress:
        return Progress(self.best, 0, self.best, self.seed_score, self.budget, self.llm)

    def commit(self, score: float | None, status: Status = "ok", operator: str = "swap") -> Progress:
        self.last = Candidate(self.last.id + 1, (0,), "", operator, status, score)
        if score is not None and self.best.score is not None and score > self.best.score:
            self.best = self.last
        return Progress(self.last, self.last.id, self.best, self.seed_score, self.budget, self.llm)


def test_improvements_are_over_the_best_before() -> None:
    tracker, session = Tracker(Clock()), Session(Budget(candidates=9))
    seen = [
        tracker.observe(progress)
        for progress in (session.seed(), session.commit(0.5), session.commit(1.5), session.commit(1.5))
    ]
    assert seen == [False, False, True, False]
    tracker.observe(session.commit(None, "crash"))
    tracker.observe(session.commit(1.75))
    assert [(one.id, one.gain) for one in tracker.improvements] == [(5, 0.25), (2, 0.5)]
    assert tracker.outcomes == {"ok": 5, "crash": 1}
    assert tracker.stale == 0
    tracker.observe(session.commit(0.0))
    assert tracker.stale == 1


def test_the_budget_nearest_to_its_end_comes_first() -> None:
    clock = Clock()
    tracker = Tracker(clock)
    session = Session(Budget(candidates=10, minutes=1, tokens=1000, usd=4.0, target=2.0, stagnation=5))
    session.llm = LlmTotals(3, 100, 1.0)
    tracker.observe(session.seed())
    tracker.observe(session.commit(1.5))
    clock.now += 42
    shares = {spent.name: spent.share for spent in tracker.budgets()}
    assert shares == pytest.approx(
        {"minutes": 0.7, "target": 0.5, "usd": 0.25, "candidates": 0.1, "tokens": 0.1, "stagnation": 0.0}
    )
    assert tracker.budgets()[0].name == "minutes"
    assert tracker.seconds_left() == pytest.approx(18)


def test_the_rate_is_that_of_the_last_minute() -> None:
    clock = Clock()
    tracker, session = Tracker(clock), Session(Budget(candidates=100))
    clock.now += 30  # starting up does not count
    tracker.observe(session.seed())
    assert tracker.rate() is None
    for _ in range(60):
        clock.now += 0.5
        tracker.observe(session.commit(0.0))
    assert tracker.rate() == pytest.approx(120)
    assert tracker.seconds_left() == pytest.approx(20)
    clock.now += 3600
    assert tracker.rate() is None and tracker.seconds_left() is None


def test_a_target_that_the_seed_has_is_no_budget_to_show() -> None:
    tracker, session = Tracker(Clock()), Session(Budget(target=0.5))
    tracker.observe(session.seed())
    assert tracker.budgets() == []


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_come_with_improvements_but_never_in_a_flood() -> None:
    clock = Clock()
    console = Console(file=io.StringIO(), width=200)
    lines, session = Lines(console, Tracker(clock)), Session(Budget(candidates=1000))
    lines.observe(session.seed())
    for _ in range(100):
        clock.now += 0.1
        lines.observe(session.commit((session.best.score or 0.0) + 1))
    assert 3 <= printed(console).count("\n") <= 6
    before = printed(console)
    for _ in range(300):
        clock.now += 0.1
        lines.observe(session.commit(0.0))
    assert 2 <= printed(console).removeprefix(before).count("\n") <= 4
    assert "\ncandidates 38" in printed(console) and "best 101.0000 (#100, seed 1.0000)" in printed(console)


@pytest.mark.parametrize("width", [80, 120])
def test_the_panel_fits_and_shows_what_matters(width: int) -> None:
    clock = Clock()
    tracker, session = Tracker(clock), Session(Budget(candidates=1000, minutes=9))
    panel = Panel(Console(file=io.StringIO(), width=width), tracker)
    panel.console.print(panel)
    assert "starting" in printed(panel.console)
    panel.observe(session.seed())
    statuses: list[Status] = ["ok", "crash", "raced", "duplicate", "timeout", "invalid", "unapplied"]
    for index in range(70):
        clock.now += 0.5
        status = statuses[index % len(statuses)]
        panel.observe(session.commit(1.0 + index / 100 if status == "ok" else None, status, "crossover+constant"))
    panel.console.print(panel)
    text = printed(panel.console)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("\n") == 8
    for expected in ("1.6300  #64", "+0.6300", "120 a minute", "crash 10", "candidates 70 of 1,000", "on train"):
        assert expected in " ".join(text.split("\n")), expected
