"""Numbers, times and foreign text as they stand in tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

NOTHING = "-"


def number(value: float | None) -> str:
    """A score or metric: four decimals where they say something, three significant digits elsewhere."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1e5:
        return f"{value:,.4f}"
    return f"{value:.2e}"


def signed(value: float | None) -> str:
    """A difference, its sign always shown."""
    if value is None:
        return NOTHING
    return number(value) if value < 0 else f"+{number(value)}"


def seconds(value: float) -> str:
    """What a policy took: three significant digits."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`: of a width that hardly changes while it runs."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def moment(iso: str | None) -> str:
    """A stored time, in local time."""
    if not iso:
        return NOTHING
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """Foreign text without the power to steer a terminal or a reader: what does not print is written out."""
    return "".join(one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text)


def one_line(text: str) -> str:
    return plain(" ".join(text.split()))


def counts(items: Iterable[tuple[str, int]]) -> str:
    """`ok 12   crash 3`, the most frequent first."""
    return "   ".join(f"{name} {count}" for name, count in sorted(items, key=lambda item: -item[1]))


def reason(stopped: str) -> str:
    """Why a session ended, from the name that the loop gives it."""
    if stopped in ("candidates", "minutes", "tokens", "usd"):
        return f"the budget of {'US dollars' if stopped == 'usd' else stopped} was reached"
    known = {
        "target": "the target score was reached",
        "stagnation": "no better candidate came for as long as the budget allows",
        "exhausted": "the recording is at its end",
    }
    return known.get(stopped, one_line(stopped))


def p_value(p: float) -> str:
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
