"""An archive as data frames, against the archive itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fakes import new_archive
from support.finished import finished_run

import adrs
from adrs.archive.frames import Frames
from adrs.archive.reader import ArchiveReader


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> ArchiveReader:
    return adrs.open_archive(finished_run(tmp_path_factory.mktemp("frames") / "near"))


@pytest.fixture(scope="module")
def frames(archive: ArchiveReader) -> Frames:
    return archive.to_pandas()


def test_candidates_has_one_row_a_commit_in_their_order(archive: ArchiveReader, frames: Frames) -> None:
    committed = list(archive.committed())
    table = frames.candidates
    assert list(table.index) == [one.id for one in committed]
    assert list(table["status"]) == [one.status for one in committed]
    assert list(table["source"].fillna("")) == [one.source for one in committed]
    assert table["score"].dropna().to_dict() == {one.id: one.score for one in committed if one.score is not None}
    assert table["parent"].dropna().to_dict() == {one.id: one.parents[0] for one in committed if one.parents}
    assert str(table["committed_at"].dtype).startswith("datetime64") and table["committed_at"].is_monotonic_increasing


def test_evaluations_repeat_for_equal_code_and_carry_their_metrics(archive: ArchiveReader, frames: Frames) -> None:
    train = frames.evaluations[frames.evaluations["split"] == "train"]
    for one in archive.committed():
        rows = train[(train["candidate"] == one.id) & (train["status"] == "ok")]
        if one.status == "ok":
            assert dict(zip(rows["workload"], rows["score"], strict=True)) == one.scores
            assert rows["metric.x"].mean() == pytest.approx(one.metrics["x"])
    crashed = train[train["status"] == "crash"]
    assert len(crashed) and crashed["score"].isna().all() and crashed["error"].str.contains("negative").all()
    assert (train["bound"] == 0.0).all()


def test_the_best_of_the_frame_is_the_best_of_the_archive(archive: ArchiveReader, frames: Frames) -> None:
    assert frames.candidates["score"].max() == archive.top(1)[0][1]


def test_a_run_with_nothing_committed_gives_empty_frames_with_all_columns(frames: Frames, tmp_path: Path) -> None:
    new_archive(tmp_path / "new.sqlite").close()
    empty = adrs.open_archive(tmp_path / "new.sqlite").to_pandas()
    assert len(empty.candidates) == 0 and len(empty.evaluations) == 0
    assert list(empty.candidates.columns) == list(frames.candidates.columns)
    assert set(empty.evaluations.columns) <= set(frames.evaluations.columns)
