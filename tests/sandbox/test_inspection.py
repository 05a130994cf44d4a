"""Inspection: what is invalid and why, and which texts are the same code."""

from __future__ import annotations

import textwrap

import pytest

from adrs.evaluation.interface import Interface
from adrs.sandbox.inspection import inspect

INTERFACE = Interface.from_text("def place(loads, gpus=8): ...\ndef observe(step): ...\n")
GOOD = "def place(loads, gpus=8):\n    return loads\n\ndef observe(step):\n    pass\n"


def test_equal_code_in_other_dress_has_the_same_hash() -> None:
    dressed = (
        '"""A docstring."""\n# a comment\ndef place(loads,\n        gpus=8):\n    """Another."""\n    return (loads)\n'
        'def observe(step):\n    """Only this."""\n'
    )
    assert inspect(dressed, INTERFACE) == inspect(GOOD, INTERFACE)
    assert inspect(GOOD, INTERFACE).status == "ok"


@pytest.mark.parametrize("changed", [("gpus=8", "gpus=9"), ("return loads", "return 1.0"), ("pass", "return None")])
def test_other_code_has_another_hash(changed: tuple[str, str]) -> None:
    assert inspect(GOOD.replace(*changed), INTERFACE).code_hash != inspect(GOOD, INTERFACE).code_hash


def test_numbers_of_other_types_are_other_code() -> None:
    texts = [
        GOOD.replace("return loads", f"return {value}") for value in ("1", "1.0", "True", "0.0", "-0.0", "'1'", "b'1'")
    ]
    assert len({inspect(text, INTERFACE).code_hash for text in texts}) == len(texts)


def test_size_counts_code_not_documentation() -> None:
    documented = GOOD.replace("    return", '    """' + "words " * 100 + '"""\n    return')
    assert inspect(documented, INTERFACE).code_size == inspect(GOOD, INTERFACE).code_size
    assert inspect(GOOD + "x = 1\n", INTERFACE).code_size > inspect(GOOD, INTERFACE).code_size


def test_docstrings_that_may_be_read_are_code() -> None:
    reads = GOOD.replace("return loads", "'0 1 2'\n    return place.__doc__")
    assert inspect(reads, INTERFACE).code_hash != inspect(reads.replace("1 2", "2 1"), INTERFACE).code_hash


@pytest.mark.parametrize(
    "signature",
    [
        "loads, gpus=4",
        "loads, gpus=8, more=None",
        "*anything",
        "loads, *rest",
        "a, b=1, /",
        "loads, gpus=8, *, tuned=1",
        "loads=None, gpus=1, **k",
    ],
)
def test_compatible_signatures_pass(signature: str) -> None:
    assert inspect(GOOD.replace("loads, gpus=8", signature), INTERFACE).status == "ok"


@pytest.mark.parametrize(
    "signature", ["", "loads", "loads, gpus", "loads, gpus, extra", "loads, gpus=8, *, must", "*, loads, gpus=8"]
)
def test_incompatible_signatures_name_line_and_call(signature: str) -> None:
    found = inspect(GOOD.replace("loads, gpus=8", signature), INTERFACE)
    assert (found.status, found.error) == ("invalid", "line 1: place cannot be called as place(loads, gpus)")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the function place(loads, gpus) is not defined at top level"),
        (GOOD.replace("def observe", "def observed"), "the function observe(step) is not defined at top level"),
        ("if True:\n" + textwrap.indent(GOOD, "    "), "is not defined at top level"),
        (GOOD.replace("def observe", "async def observe"), "is a coroutine"),
        (GOOD + "def place(): pass\n", "place cannot be called"),
        ("def f(:\n", "line 1: "),
        (GOOD + "return 3\n", "line 6: 'return' outside function"),
        (GOOD + "def f(a, a): pass\n", "duplicate argument"),
        ("\0", "source code string cannot contain null bytes"),
        ("x = '\ud800'", "surrogates"),
        ("(" * 100_000, "nested"),
        ("x = " + "-" * 100_000 + "1", "nested"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested"),
        ("x = " + "a." * 100_000 + "a", "nested"),
        ("x = 1" + "+1" * 100_000, "nested"),
        ("\n".join(" " * depth + "if x:" for depth in range(150)), "indentation"),
        ("x = " + "9" * 10_000, "digits"),
        ("#" * (2 << 20), "longer than"),
    ],
)  # fmt: skip
def test_invalid_texts_say_why_and_harm_nobody(text: str, error: str) -> None:
    found = inspect(text, INTERFACE)
    assert found.status == "invalid"
    assert error in found.error
    assert "None" not in found.error
    assert found.code_hash == ""


def test_nothing_is_executed() -> None:
    assert inspect("raise SystemExit\n" + GOOD, INTERFACE).status == "ok"
