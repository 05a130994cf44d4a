"""Arguments and options that commands share, with what they accept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from adrs.problem import Budget

LARGEST = 2**63 - 1  # of what SQLite stores
MOST_AT_ONCE = 1024  # evaluations or proposals
PANEL = "Budget: any of these replaces the problem's whole budget"


def _whole(least: int, most: int = LARGEST) -> Any:
    def parse(given: str | int) -> int:  # a default is parsed too
        text = str(given)
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            limit = "" if most == LARGEST else f" to {most}"
            raise typer.BadParameter(f"{text} is not a whole number from {least}{limit}")
        return int(text)

    return parse


def _above_zero(text: str) -> float:
    value = _finite(text)
    if value <= 0:
        raise typer.BadParameter(f"{text} is not a number above 0")
    return value


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text} is not a number")
    return value


def _count(*names: str, help: str, least: int = 1, most: int = LARGEST, panel: str | None = None) -> Any:
    return typer.Option(*names, metavar="N", parser=_whole(least, most), help=help, rich_help_panel=panel)


DataName = Annotated[str, typer.Argument(metavar="NAME", help="A name that `adrs data` lists.")]
ProblemRef = Annotated[str, typer.Argument(metavar="PROBLEM", help="A YAML file, or a name of `adrs problems`.")]
RunRef = Annotated[
    Path | None, typer.Option("--run", "-r", metavar="RUN", help="A run's directory; by default the newest in runs/.")
]
Id = Annotated[
    int | None, typer.Argument(metavar="ID", parser=_whole(0), help="A candidate; by default the run's winner.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Jobs = Annotated[int | None, _count(help="Evaluations at a time; by default one a CPU.", most=MOST_AT_ONCE)]
Sandbox = Annotated[str, typer.Option(metavar="MODE", help="auto, or none: no jail, for policies that you trust.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a problem's field.")]

Seed = Annotated[int, _count(help="Of the run's random choices.", least=0)]
Lag = Annotated[int | None, _count(help="Slots planned ahead: proposals in flight at most.", most=MOST_AT_ONCE)]
NewRun = Annotated[
    Path | None, typer.Option("--run", "-r", metavar="DIR", help="Where to write; by default a new one in runs/.")
]
WarmFrom = Annotated[
    Path | None, typer.Option("--from", metavar="RUN", help="Begin with an earlier run's best, scored anew.")
]
Count = Annotated[int, _count("--count", "-n", help="How many.")]
Against = Annotated[str, typer.Option(metavar="WHAT", help="The older text: seed, parent or a candidate's id.")]
Salt = Annotated[int | None, _count(help="Repeat the workloads of an earlier result.", least=0)]
Directory = Annotated[Path, typer.Option("--directory", "-d", metavar="DIR", help="Where to write.")]

Candidates = Annotated[int | None, _count(help="Candidates, the seed not counted.", panel=PANEL)]
Minutes = Annotated[
    float | None,
    typer.Option(metavar="X", parser=_above_zero, help="Minutes of this session.", rich_help_panel=PANEL),
]
Usd = Annotated[
    float | None,
    typer.Option(metavar="X", parser=_above_zero, help="US dollars; calls in flight count.", rich_help_panel=PANEL),
]
Tokens = Annotated[int | None, _count(help="LLM tokens; calls in flight count.", panel=PANEL)]
Target = Annotated[
    float | None, typer.Option(metavar="X", parser=_finite, help="A train score.", rich_help_panel=PANEL)
]
Stagnation = Annotated[int | None, _count(help="Candidates without a better score.", panel=PANEL)]


def budget(
    candidates: int | None,
    minutes: float | None,
    usd: float | None,
    tokens: int | None,
    target: float | None,
    stagnation: int | None,
) -> Budget | None:
    """The budget of the options, None when there is none of them: then the problem's own holds."""
    given = Budget(candidates, minutes, tokens, usd, target, stagnation)
    return None if given == Budget() else given
