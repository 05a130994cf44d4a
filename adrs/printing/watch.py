"""A run while it goes: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from adrs.evaluation.score import Progress as Count
from adrs.evolution import Progress
from adrs.printing.console import facts, messages
from adrs.printing.text import NOTHING, clock, counts, duration, number, plain, plural, signed
from adrs.printing.tracker import Spent, Tracker

FRAMES = 4  # a second
BAR_WIDTH = 24
QUIET_SECONDS = 10.0  # without an improvement, a line that often
IMPROVED_SECONDS = 2.0  # with improvements, not more often than that


class Watcher(Protocol):
    """Both are for `adrs.session.Options`."""

    def announce(self, line: str) -> None: ...

    def observe(self, progress: Progress) -> None: ...


class Silent:
    def announce(self, line: str) -> None:
        pass

    def observe(self, progress: Progress) -> None:
        pass


class Panel:
    """Redrawn in place; rich calls `__rich__` for each frame."""

    def __init__(self, console: Console, tracker: Tracker) -> None:
        self.console = console
        self.tracker = tracker

    def announce(self, line: str) -> None:
        self.console.print(plain(line), soft_wrap=True)

    def observe(self, progress: Progress) -> None:
        self.tracker.observe(progress)

    def __rich__(self) -> RenderableType:
        tracker = self.tracker
        if tracker.progress is None:
            return Text(f"\nstarting, {duration(tracker.elapsed)}", style="dim")
        latest = "   ".join(f"#{one.id} {signed(one.gain)} {plain(one.operator)}" for one in tracker.improvements)
        return Group(
            "",
            facts(
                best=_best(tracker.progress),
                candidates=_pace(tracker),
                outcomes=_one_row(counts(tracker.outcomes.items())),
                budget=_budget_bar(tracker),
                latest=_one_row(latest),
            ),
        )


class Lines:
    """For logs and pipes."""

    def __init__(self, console: Console, tracker: Tracker) -> None:
        self.console = console
        self.tracker = tracker
        self._printed = tracker.clock()

    def announce(self, line: str) -> None:
        self.console.print(plain(line), soft_wrap=True)

    def observe(self, progress: Progress) -> None:
        improved = self.tracker.observe(progress)
        now = self.tracker.clock()
        if now - self._printed >= (IMPROVED_SECONDS if improved else QUIET_SECONDS):
            self._printed = now
            self.console.print(self._line(progress), soft_wrap=True)

    def _line(self, progress: Progress) -> str:
        rate = self.tracker.rate()
        nearest = self.tracker.budgets()[:1]
        parts = [
            *([] if nearest and nearest[0].name == "candidates" else [plural(progress.committed, "candidate")]),
            *(_amounts(budget) for budget in nearest),
            f"best {number(progress.best.score)} (#{progress.best.id}, seed {number(progress.seed_score)})",
            *([] if rate is None else [f"{rate:.0f}/min"]),
            counts(self.tracker.outcomes.items()).replace("   ", ", "),
        ]
        return "  |  ".join(parts)


@contextmanager
def watching(silent: bool) -> Iterator[Watcher]:
    """Shows a run on stderr for as long as the `with` block lasts."""
    if silent:
        yield Silent()
        return
    console = messages()
    if not console.is_terminal:
        yield Lines(console, Tracker())
        return
    panel = Panel(console, Tracker())
    with Live(panel, console=console, refresh_per_second=FRAMES, transient=True, redirect_stdout=False):
        yield panel


@contextmanager
def counting(what: str, silent: bool) -> Iterator[Count | None]:
    """Shows evaluations done and to come on stderr, if that is a terminal."""
    if silent or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(BAR_WIDTH), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=messages(), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def count(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield count


def _one_row(text: str) -> Text:
    """The panel keeps its height: what does not fit is cut."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _best(progress: Progress) -> Text:
    best = progress.best
    text = Text.assemble((number(best.score), "bold"), f"  #{best.id}   seed {number(progress.seed_score)}")
    if best.score is not None and best.score > progress.seed_score:
        text.append(f"   {signed(best.score - progress.seed_score)}", "green")
    return text.append("   on train", "dim")


def _pace(tracker: Tracker) -> Text:
    assert tracker.progress is not None
    rate, calls = tracker.rate(), tracker.progress.llm.calls
    parts = [
        f"{tracker.progress.committed}",
        NOTHING if rate is None else f"{rate:.0f} a minute",
        f"{tracker.stale} since the best",
        duration(tracker.elapsed),
    ]
    if calls:
        parts.append(f"{calls} LLM calls, {tracker.progress.llm.tokens:,} tokens")
    return Text("   ".join(parts))


def _budget_bar(tracker: Tracker) -> RenderableType | None:
    """The budget that will end the run first, as it looks now."""
    budgets = tracker.budgets()
    if not budgets:
        return None
    nearest, left = budgets[0], tracker.seconds_left()
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_row(
        ProgressBar(total=1.0, completed=nearest.share, width=BAR_WIDTH),
        _amounts(nearest),
        Text("finishing" if nearest.share == 1 else "" if left is None else f"{clock(left)} left", "dim"),
    )
    return row


def _amounts(spent: Spent) -> str:
    match spent.name:
        case "usd":
            return f"usd {spent.used:.2f} of {spent.limit:g}"
        case "minutes":
            return f"time {clock(60 * spent.used)} of {clock(60 * spent.limit)}"
        case "target":
            return f"target {spent.used:.3g} of {spent.limit:.3g}"
        case _:
            return f"{spent.name} {spent.used:,.0f} of {spent.limit:,.0f}"
