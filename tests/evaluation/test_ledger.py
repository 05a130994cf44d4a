"""The ledger of openings: counts by problem version, whatever else happens to its file."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from adrs.evaluation.ledger import ledger_path, record_opening


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def test_versions_are_counted_apart(home: Path) -> None:
    assert [record_opening("a", "v1", salt).count for salt in (1, 2)] == [1, 2]
    assert record_opening("a", "v2", 3).count == 1
    assert record_opening("b", "v1", 4).count == 1
    entries = [json.loads(line) for line in (home / "adrs/openings.jsonl").read_text().splitlines()]
    assert [entry["salt"] for entry in entries] == [1, 2, 3, 4]


def open_repeatedly(times: int) -> list[int | None]:
    return [record_opening("a", "v1", 0).count for _ in range(times)]


def test_concurrent_processes_lose_no_opening(home: Path) -> None:
    with ProcessPoolExecutor(3, get_context("fork")) as pool:
        counts = [count for part in pool.map(open_repeatedly, [20] * 3) for count in part]
    assert sorted(counts) == list(range(1, 61))


def test_a_torn_or_foreign_line_is_no_opening(home: Path) -> None:
    record_opening("a", "v1", 1)
    with ledger_path().open("a") as file:
        file.write('[]\n{"problem": "a", "fing')
    assert [record_opening("a", "v1", salt).count for salt in (2, 3)] == [2, 3]


def test_a_home_that_cannot_be_written_is_only_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    opening = record_opening("a", "v1", 1)
    assert opening.count is None
    assert opening.note.startswith("openings are not counted: ")


def test_the_default_place_is_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert ledger_path() == tmp_path / ".local/share/adrs/openings.jsonl"
