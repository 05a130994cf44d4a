from __future__ import annotations

import errno
import sqlite3

import pytest

from adrs.printing.failure import explain
from adrs.printing.text import clock, counts, duration, number, one_line, p_value, plain, plural, reason, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (0.0, "0.0000"), (0.81234, "0.8123"), (-4.0, "-4.0000"), (1234.5, "1,234.5000"),
        (1e-5, "1.00e-05"), (123456789.0, "1.23e+08"),
    ],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_difference_shows_its_sign() -> None:
    assert [signed(0.5), signed(-0.5), signed(0.0), signed(None)] == ["+0.5000", "-0.5000", "+0.0000", "-"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_clocks() -> None:
    assert [clock(7.9), clock(750), clock(3723)] == ["0:07", "12:30", "1:02:03"]


def test_foreign_text_cannot_steer_a_terminal() -> None:
    assert plain("a\tb\nc \x1b[31m \x07 \x9b \u202e \udcff") == "a\tb\nc \\x1b[31m \\x07 \\x9b \\u202e \\udcff"
    assert one_line("two\n  lines") == "two lines"
    assert plain("\u061c\u2028\u200b\ufeff\U000e0041") == "\\u061c\\u2028\\u200b\\ufeff\\U000e0041"
    assert plain("größer → ü 漢字") == "größer → ü 漢字"


def test_words() -> None:
    assert counts([("crash", 1), ("ok", 12)]) == "ok 12   crash 1"
    assert (plural(1, "candidate"), plural(1200, "candidate")) == ("1 candidate", "1,200 candidates")
    assert (p_value(0.00001), p_value(0.25)) == ("<0.0001", "0.2500")
    assert reason("usd") == "the budget of US dollars was reached"
    assert reason("error: the model\nis gone") == "error: the model is gone"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "a.py"), 2, "a.py: No such file"),
        (OSError(errno.ENOSPC, "No space left on device", "runs"), 1, "runs: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "cannot read or write: No space left on device"),
        (sqlite3.OperationalError("disk is full"), 1, "the archive cannot be written: disk is full"),
        (sqlite3.DatabaseError("malformed"), 2, "the archive is damaged: malformed"),
        (ZeroDivisionError("division by zero"), 1, "internal error: ZeroDivisionError: division by zero"),
    ],
)
def test_an_unexpected_exception_is_one_line(error: Exception, code: int, text: str) -> None:
    assert explain(error)[0] == code
    assert explain(error)[1].startswith(text)


def test_debugging_prints_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ADRS_DEBUG", "1")
    explain(ValueError("x"))
    assert "ValueError: x" in capsys.readouterr().err
