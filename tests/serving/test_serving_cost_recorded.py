"""A user's own measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from adrs.errors import InputError
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.builtin import TABLES, table_path
from evaluators.serving.cost.measurements import chunk, decoding, together
from evaluators.serving.cost.recorded import read_measurements, write_measurements

HEADER = "kind,tokens,before,sequences,context,milliseconds\n"
# attention: launch 2 ms, 0.5 ms a sequence, 0.001 ms a token of context, twice that beside a chunk; 1e-5 ms a pair
PLAIN = """linear,1,,,,10
linear,101,,,,20
experts,1,,,,1
experts,101,,,,5
head,,,1,,0.5
attention,,,1,1000,3.5
attention,,,10,1000,17
attention,,,20,500,22
attention,100,,,,2.1
attention,100,300,,,2.7
attention,100,,4,1000,12.1
step,,,,,0.25
sequence,,,,,0.01
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def test_what_was_measured_comes_back(tmp_path: Path) -> None:
    profile = read_measurements(written(tmp_path, HEADER + PLAIN)).profile()
    attention = profile.attention
    assert attention.launch == pytest.approx(2e-3)
    assert attention.sequence == pytest.approx(0.5e-3)
    assert attention.context == pytest.approx(1e-6)
    assert attention.mixed == pytest.approx(2.0)
    assert attention.pair == pytest.approx(1e-8)
    assert attention.reread == pytest.approx(0.0, abs=1e-12)
    batch = together(chunk(0, 31), decoding(20, 500))
    assert profile.layers(batch) == pytest.approx(1e-3 * (15 + 3 + 2 + 10 + 2 * 10 + 31**2 * 1e-5))
    assert profile.overhead(batch) == pytest.approx(1e-3 * (0.25 + 21 * 0.01 + 0.5))


def test_what_was_never_measured_costs_nothing(tmp_path: Path) -> None:
    text = "".join(line for line in PLAIN.splitlines(True) if ",300," not in line and not line.startswith("exp"))
    profile = read_measurements(written(tmp_path, HEADER + text)).profile()
    assert (profile.attention.reread, profile.experts(1000)) == (0.0, 0.0)
    assert profile.attention.pair == pytest.approx(1e-8)


def test_the_example_in_the_documentation_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "serving_fidelity.md").read_text()
    example = next(block for block in text.split("```") if block.startswith("\nkind,"))
    profile = read_measurements(written(tmp_path, example.lstrip())).profile()
    assert profile.linear(1) == pytest.approx(5.4e-3)
    assert profile.attention.context > 0


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    lines = [line.split(",") for line in (HEADER + PLAIN).splitlines()]
    turned = "\n".join(",".join(reversed(cells)) for cells in lines)
    straight = read_measurements(written(tmp_path, HEADER + PLAIN))
    assert read_measurements(written(tmp_path, turned)) == straight


@pytest.mark.parametrize("key", TABLES[::4], ids=str)
def test_a_file_written_is_the_file_read(key: tuple[str, str, int], tmp_path: Path) -> None:
    path = table_path(*key)
    write_measurements(tmp_path / "again.csv", read_measurements(path))
    assert (tmp_path / "again.csv").read_text() == path.read_text()


def test_mixed_batches_survive_writing(tmp_path: Path) -> None:
    measured = read_measurements(written(tmp_path, HEADER + PLAIN))
    write_measurements(tmp_path / "again.csv", measured)
    assert read_measurements(tmp_path / "again.csv") == measured


@pytest.mark.parametrize(
    "text, message",
    [
        ("kind,tokens\nlinear,1\n", r"line 1: no column 'before'; expected kind,tokens,before"),
        (HEADER + "lineal,1,,,,1\n", r"line 2: kind 'lineal'; expected one of linear, experts, head"),
        (
            HEADER + "linear,one,,,,1\n",
            r"line 2: tokens 'one'; expected a whole number of at most 8 digits, or nothing",
        ),
        (HEADER + "linear,-1,,,,1\n", r"line 2: tokens '-1'; expected a whole number"),
        (HEADER + "linear,1,,,,fast\n", r"line 2: milliseconds 'fast'; expected a number from 0 to 10,000,000"),
        (HEADER + "linear,1,,,,nan\n", r"line 2: milliseconds 'nan'"),
        (HEADER + "linear,1,,,\n", r"line 2: milliseconds 'missing'"),
        (HEADER + "linear,1,,,,1e305\n", r"line 2: milliseconds '1e305'; expected a number from 0 to"),
        (HEADER + "linear," + "9" * 400 + ",,,,1\n", r"line 2: tokens '99999999999999999999'; expected a whole number"),
        (HEADER + "linear,1,,,,0\nhead,,,1,,0\n", r"kind 'linear': all milliseconds are 0"),
        (HEADER + "linear,,,,,1\n", r"line 2: linear without tokens; expected a number above 0"),
        (HEADER + "head,,,,,1\n", r"line 2: head without sequences"),
        (HEADER + "linear,1,,,,1\nlinear,1,,,,2\n", r"line 3: linear of 1 tokens again; keep one row"),
        (HEADER + "linear,1,,,,1\n", r"kind head: no rows; add at least one"),
        (HEADER + PLAIN + "attention,,,,,1\n", r"line 15: attention of neither tokens nor sequences"),
        (
            HEADER + "linear,1,,,,1\nhead,,,1,,1\n",
            r"attention of 0 chunks and 0 different decoding batches; need 1 and 3 or more",
        ),
        ("", r"line 1: no column 'kind'"),
        ("a\0b", r"mine.csv: "),
    ],
)
def test_errors_say_where_and_what_was_expected(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as refused:
        read_measurements(written(tmp_path, text))
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "mine.csv") in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv: cannot be read: .*; expected a CSV file with kind,"):
        read_measurements(tmp_path / "none.csv")


def test_a_batch_of_both_is_the_sum_of_its_parts() -> None:
    assert together(chunk(100, 20), decoding(3, 50)) == Batch(23, 4, 4, 120**2 - 100**2, 100, 3, 150)
