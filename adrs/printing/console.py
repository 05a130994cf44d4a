"""Consoles and the one style of table."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table

PIPE_WIDTH = 240  # columns when nobody's terminal sets them: nothing is cut that a search might look for


class Ragged(Table):
    """Pads no last column where the output is a file or a pipe."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        drawn = super().__rich_console__(console, options)
        if console.is_terminal:
            yield from drawn
            return
        for line in Segment.split_lines(part for part in drawn if isinstance(part, Segment)):
            yield Segment("".join(part.text for part in line).rstrip() + "\n")


def output() -> Console:
    """Results."""
    return _console(sys.stdout)


def messages() -> Console:
    """Progress, and what else is not a result."""
    return _console(sys.stderr)


def table(*columns: str) -> Table:
    """A table without lines. A column's name ends in `>` when its cells are numbers, in `<` when its text may wrap.

    Where the width does not suffice, it is the text that wraps; numbers stay whole.
    """
    named = any(column.rstrip("<>") for column in columns)
    made = Ragged(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=named)
    for column in columns:
        right, wraps = column.endswith(">"), column.endswith("<")
        made.add_column(
            column.rstrip("<>"),
            justify="right" if right else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    return made


def facts(**lines: RenderableType | None) -> Table:
    """Names and values, one pair a line; pairs without a value are left out."""
    made = Ragged(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in lines.items():
        if value:
            made.add_row(name.replace("_", " "), value)
    return made


def _console(file: TextIO) -> Console:
    terminal = file.isatty()
    width = None if terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)
