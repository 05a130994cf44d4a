"""Public data sets, and what is seen of a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from adrs.printing.console import messages, table
from adrs.printing.text import plain
from adrs.public_data import Copy, DataSet, Inventory

SOURCES = {"cache": "downloaded", "ADRS_DATA": "own copy"}


def print_data_sets(console: Console, inventory: Inventory) -> None:
    made = table("name", "size>", "digest", "licence", "here", "what<")
    for entry, copy in inventory.lines:
        made.add_row(
            plain(entry.name), _size(entry.bytes), "first use" if entry.sha256 is None else "known",
            plain(entry.licence), "" if copy is None else SOURCES[copy.source], plain(entry.what),
        )  # fmt: skip
    console.print(made)
    console.print(f"\nadrs data get NAME downloads to {plain(str(inventory.cache))}", style="dim", soft_wrap=True)


def print_copy(console: Console, copy: Copy) -> None:
    console.print(f"{plain(copy.entry.name)}: {SOURCES[copy.source]}, {plain(str(copy.path))}", soft_wrap=True)


def print_path(console: Console, copy: Copy) -> None:
    console.print(plain(str(copy.path)), soft_wrap=True, highlight=False)


@contextmanager
def downloading(entry: DataSet, silent: bool) -> Iterator[None]:
    """Says on stderr what is on its way, with a spinner if that is a terminal."""
    if silent:
        yield
        return
    console = messages()
    size = f" ({_size(entry.bytes)})" if entry.bytes else ""
    with console.status(f"{plain(entry.name)}{size} from {plain(entry.url)}"):
        yield


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f} MB"
