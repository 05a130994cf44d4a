"""What is said of a run, against the archive of a real one."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.finished import finished_run

from adrs.archive.locate import ARCHIVE, open_run
from adrs.archive.lock import RunLock
from adrs.archive.reader import ArchiveReader
from adrs.archive.store import Archive
from adrs.errors import InputError
from adrs.review.diff import diff
from adrs.review.lineage import lineage, note_text
from adrs.review.show import show
from adrs.review.status import overview, status
from adrs.review.top import top


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("review") / "runs" / "near")


@pytest.fixture
def archive(run: Path) -> Iterator[ArchiveReader]:
    with open_run(run) as (_, opened):
        yield opened


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    """The same run, to be changed."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_status_counts_what_the_archive_holds(run: Path, archive: ArchiveReader) -> None:
    now = status(run, archive)
    committed = list(archive.committed())
    assert now.candidates == 60 == len(committed) - 1
    assert sum(now.outcomes.values()) == 61
    assert now.outcomes["ok"] == sum(one.status == "ok" for one in committed)
    assert (now.state, now.stopped, now.process) == ("stopped", "candidates", None)
    assert now.seed_score == -4.0
    assert now.bound == 0.0
    assert now.pending == archive.info.lag
    assert now.evaluations.count == archive.db.execute("SELECT count(*) FROM evaluation").fetchone()[0]
    assert now.best is not None and now.best.validation is not None


def test_a_run_is_running_while_its_lock_is_held_and_killed_when_no_end_was_written(copied: Path) -> None:
    with RunLock(copied), open_run(copied) as opened:
        held = status(*opened)
        assert held.state == "running" and held.process is not None and held.stopped is None
    writer = Archive.open(copied / ARCHIVE)
    with writer.transaction() as db:
        db.execute("DELETE FROM event WHERE kind='stopped'")
    writer.close()
    with open_run(copied) as opened:
        assert status(*opened).state == "killed"


def test_an_end_that_was_written_before_later_commits_does_not_count(copied: Path) -> None:
    writer = Archive.open(copied / ARCHIVE)
    with writer.transaction() as db:
        db.execute("UPDATE event SET at='2001-01-01T00:00:00.000+00:00'")
    writer.close()
    with open_run(copied) as opened:
        assert status(*opened).state == "killed"


def test_top_is_sorted_and_gains_are_over_the_seed(run: Path, archive: ArchiveReader) -> None:
    best = top(run, archive, 5)
    scores = [one.score for one in best.candidates]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert scores[0] == max(one.score for one in archive.committed() if one.score is not None)
    assert all(one.gain == one.score - -4.0 for one in best.candidates)
    assert best.winner in [one.id for one in best.candidates]
    every = top(run, archive, 10_000).candidates
    assert len(every) == archive.outcomes()["ok"]


def test_show_gives_every_workload_beside_the_seed(run: Path, archive: ArchiveReader) -> None:
    winner = show(run, archive)
    assert {one.split for one in winner.workloads} == {"train", "validation"}
    train = [one for one in winner.workloads if one.split == "train"]
    assert [one.name for one in train] == ["w0", "w1", "w2"]
    assert [one.seed for one in train] == [-3.0, -4.0, -5.0]
    assert winner.score == pytest.approx(sum(one.score or 0.0 for one in train) / 3)
    assert winner.source.startswith("x = ")


def test_show_tells_of_a_failure_and_of_a_duplicate(run: Path, archive: ArchiveReader) -> None:
    crashed = next(one for one in archive.committed() if one.status == "crash")
    shown = show(run, archive, crashed.id)
    assert shown.score is None and "is negative" in shown.error
    assert shown.workloads[0].status == "crash"
    duplicate = next(one for one in archive.committed() if one.status == "duplicate")
    original = show(run, archive, duplicate.id).duplicate_of
    assert original is not None
    assert archive.code_hash(original) == archive.code_hash(duplicate.id)


def test_the_gains_of_a_lineage_add_up(run: Path, archive: ArchiveReader) -> None:
    way = lineage(run, archive)
    assert way.steps[0].id == 0 and way.steps[0].parent is None
    assert [step.parent for step in way.steps[1:]] == [step.id for step in way.steps[:-1]]
    assert len(way.steps) > 2
    first, last = way.steps[0].score, way.steps[-1].score
    assert first is not None and last is not None
    assert sum(step.gain or 0.0 for step in way.steps) == pytest.approx(last - first)


@pytest.mark.parametrize(
    ("notes", "text"),
    [
        ({}, ""),
        ({"summary": "sort  by\nweight", "calls": 2}, "sort by weight"),
        ({"changes": [{"note": "a -> b"}, {"note": "drop c"}]}, "a -> b; drop c"),
        ({"from": 3, "why": "x"}, "from: 3; why: x"),
        ({"summary": "y" * 500}, "y" * 197 + "..."),
    ],
)
def test_notes_become_one_short_line(notes: dict[str, object], text: str) -> None:
    assert note_text(notes) == text


def test_patch_applies_a_diff(run: Path, archive: ArchiveReader, tmp_path: Path) -> None:
    change = diff(run, archive)
    assert change.against == 0 and (change.added, change.removed) == (1, 1)
    old, new = archive.candidate(0).source, archive.candidate(change.id).source
    assert _patched(tmp_path, old, change.diff) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = 1\nb = 2\n", "a = 1\nb = 3"),
        ("a = 1\nb = 2", "a = 1\nb = 2\n"),
        ("a = 1\n\x0cb = 2\n", "a = 1\n\x0cb = 3\nc = 1\n"),
        ("a = '\u2028'\nb = 2\n", "a = '\u2028'\nb = 3\n"),
        ("a = 1\r\nb = 2\r\n", "a = 1\r\nb = 3\r\n"),
        ("- x\n", "+ x\n-- y\n++ z\n"),
    ],
)
def test_patch_applies_diffs_of_odd_texts(copied: Path, tmp_path: Path, old: str, new: str) -> None:
    with sqlite3.connect(copied / ARCHIVE) as db:
        for id, text in ((0, old), (1, new)):
            db.execute("UPDATE source SET text=? WHERE sha=(SELECT source FROM candidate WHERE id=?)", (text, id))
    with open_run(copied) as (run, archive):
        change = diff(run, archive, 1)
    assert _patched(tmp_path, old, change.diff) == new


def _patched(folder: Path, text: str, patch: str) -> str:
    file = folder / "policy.py"
    file.write_bytes(text.encode())
    subprocess.run(["patch", "--binary", "-s", str(file)], input=patch.encode(), check=True, cwd=folder)
    return file.read_bytes().decode()


def test_diff_against_the_parent_and_against_any_id(run: Path, archive: ArchiveReader) -> None:
    child = next(one for one in archive.committed() if one.parents and one.parents[0] != 0 and one.status == "ok")
    assert diff(run, archive, child.id, "parent").against == child.parents[0]
    assert diff(run, archive, child.id, str(child.id)).diff == ""
    assert diff(run, archive, 0, "parent").diff == ""
    with pytest.raises(InputError, match=r"--against brother: expected seed, parent or a candidate's id"):
        diff(run, archive, child.id, "brother")


def test_unknown_and_textless_candidates_are_input_errors(run: Path, archive: ArchiveReader) -> None:
    textless = next(one for one in archive.committed() if one.status == "unapplied")
    with pytest.raises(InputError, match="has no source: it ended as unapplied"):
        diff(run, archive, textless.id)
    for question in (show, lineage, diff):
        with pytest.raises(InputError, match="candidate 999 is not in this run"):
            question(run, archive, 999)


def test_before_the_seed_is_scored_there_is_a_status_and_no_winner(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "begun", candidates=3)
    with sqlite3.connect(run / ARCHIVE) as db:
        db.execute("UPDATE candidate SET committed=NULL, status=NULL, score=NULL, committed_at=NULL")
        db.execute("DELETE FROM event")
    with open_run(run) as (_, archive):
        now = status(run, archive)
        assert (now.state, now.seed_score, now.best, now.candidates) == ("killed", None, None, 0)
        assert top(run, archive).candidates == ()
        with pytest.raises(InputError, match="no scored candidate yet"):
            show(run, archive)


def test_every_answer_is_json(run: Path, archive: ArchiveReader) -> None:
    answers = [status(run, archive), top(run, archive), show(run, archive), lineage(run, archive), diff(run, archive)]
    for answer in answers:
        document = json.loads(json.dumps(answer.json(), allow_nan=False))
        assert document["schema"] == 1
        assert document["run"] == str(run)


def test_the_overview_keeps_a_line_for_a_damaged_run(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "runs" / "good")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / ARCHIVE).write_bytes(b"no database at all" * 100)
    (tmp_path / "runs" / "not-a-run").mkdir()
    lines = {line.run.name: line for line in overview(tmp_path / "runs").runs}
    assert lines.keys() == {"good", "bad"}
    assert lines["good"].candidates == 60 and lines["good"].error is None
    assert "not an archive of adrs" in (lines["bad"].error or "")


def test_damage_in_the_middle_of_an_archive_is_an_input_error(copied: Path) -> None:
    file = copied / ARCHIVE
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"archive\.sqlite"), open_run(copied) as opened:
        status(*opened)
