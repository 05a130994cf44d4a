"""The archive: transactions, readers, journal, digest."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

import pytest
from support.fakes import new_archive

from adrs.archive.digest import digest
from adrs.archive.journal import CallJournal
from adrs.archive.reader import ArchiveReader
from adrs.archive.records import Outcome, Plan
from adrs.archive.store import Archive
from adrs.errors import InputError
from adrs.evaluation.outcome import Evaluation, Inspection
from adrs.problem import Budget
from adrs.proposers.base import BudgetReached, Proposal


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path / "a.sqlite")


def commit(archive: Archive, slot: int, sequence: int, outcome: Outcome, *plans: Plan) -> None:
    with archive.transaction():
        archive.mark(slot, sequence, outcome)
        archive.insert_plans(plans)


def test_a_failing_transaction_leaves_nothing(archive: Archive) -> None:
    with pytest.raises(RuntimeError), archive.transaction():
        archive.mark(0, 0, Outcome("ok", 1.0))
        raise RuntimeError
    assert archive.count_committed() == 0


def test_a_slot_is_committed_once(archive: Archive) -> None:
    commit(archive, 0, 0, Outcome("ok", 1.0))
    with pytest.raises(sqlite3.IntegrityError):
        commit(archive, 0, 1, Outcome("ok", 2.0))
    assert archive.candidate(0).score == 1.0


def test_a_plan_survives_as_it_was_written(archive: Archive) -> None:
    plan = Plan(7, 1, (0, 3), (2,), (5,), 0.25, {"step": 0.1, "weights": [1, 2]})
    with archive.transaction():
        archive.insert_plans([plan])
    assert archive.slot(7).plan == plan


def test_a_committed_proposal_cannot_be_overwritten(archive: Archive) -> None:
    commit(archive, 0, 0, Outcome("ok", 1.0))
    archive.record_proposal(0, Proposal("ok", "x = 9.0", "forged"))
    assert archive.candidate(0).source == "x = 0.0"


def test_readers_see_only_what_was_committed(archive: Archive, tmp_path: Path) -> None:
    beside = ArchiveReader.read(tmp_path / "a.sqlite")
    with archive.transaction():
        archive.mark(0, 0, Outcome("ok", 1.0))
        assert beside.count_committed() == 0
    assert beside.count_committed() == 1
    with pytest.raises(sqlite3.OperationalError):
        beside.db.execute("DELETE FROM candidate")


def test_an_ended_run_in_a_folder_of_others_can_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = new_archive(folder / "a.sqlite")
        commit(archive, 0, 0, Outcome("ok", 1.0))
        archive.close()
        (folder / "a.sqlite").chmod(0o444)
        folder.chmod(0o555)
        child = os.fork()
        if child == 0:
            committed = 0
            try:
                if os.getuid() == 0:
                    os.setuid(65534)
                committed = ArchiveReader.read(folder / "a.sqlite").count_committed()
            finally:
                os._exit(committed)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert [path.name for path in folder.iterdir()] == ["a.sqlite"]


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such archive"):
        ArchiveReader.read(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("x = 1\n" * 1000)
    with pytest.raises(InputError, match="not an archive"):
        ArchiveReader.read(tmp_path / "text.sqlite")


def test_a_run_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "100%25 sure? #1"
    folder.mkdir()
    new_archive(folder / "a.sqlite").close()
    assert ArchiveReader.read(folder / "a.sqlite").info.problem == "near"


def test_a_candidate_has_its_scores_bounds_and_mean_metrics(archive: Archive) -> None:
    source = archive.slot(0).source
    assert source is not None
    archive.record_inspection(source, Inspection("ok", "code", 5))
    for index, workload in enumerate(archive.workloads()):
        archive.record_evaluation("code", workload.hash, Evaluation("ok", {"nearness": -float(index), "x": 3.0}))
    commit(archive, 0, 0, Outcome("ok", -1.0, evaluated=3))
    candidate = archive.candidate(0)
    assert candidate.scores == {"w0": 0.0, "w1": -1.0, "w2": -2.0}
    assert candidate.bounds == {"w0": 0.0, "w1": 0.0, "w2": 0.0}
    assert candidate.metrics == {"nearness": -1.0, "x": 3.0}
    assert (candidate.code_size, archive.code_hash(0)) == (5, "code")


def test_the_first_result_of_an_evaluation_stays(archive: Archive) -> None:
    archive.record_evaluation("code", "w", Evaluation("ok", {"nearness": 1.0}))
    archive.record_evaluation("code", "w", Evaluation("ok", {"nearness": 2.0}))
    stored = archive.evaluation("code", "w")
    assert stored is not None
    assert stored.metrics == {"nearness": 1.0}
    assert archive.evaluation("code", "w", repeat=1) is None


def test_the_digest_covers_outcomes_plans_and_evaluations(tmp_path: Path) -> None:
    def made(name: str, value: float, threshold: float, error: str) -> str:
        archive = new_archive(tmp_path / name)
        source = archive.slot(0).source
        assert source is not None
        archive.record_inspection(source, Inspection("ok", "code", 5))
        archive.record_evaluation("code", "train-0", Evaluation("ok", {"nearness": value}, seconds=len(name)))
        commit(archive, 0, 0, Outcome("ok", -1.0, evaluated=1), Plan(1, 1, (0,), threshold=threshold))
        commit(archive, 1, 1, Outcome("void", error=error))
        return digest(archive)

    same = made("a", 1.0, 0.5, "e")
    assert made("another", 1.0, 0.5, "e") == same
    assert len({same, made("b", 2.0, 0.5, "e"), made("c", 1.0, 0.6, "e"), made("d", 1.0, 0.5, "f")}) == 4


MESSAGES = [{"role": "user", "content": "Improve it."}]


def test_a_call_is_durable_when_it_leaves_and_its_reply_when_it_arrives(archive: Archive, tmp_path: Path) -> None:
    beside = ArchiveReader.read(tmp_path / "a.sqlite")
    journal = CallJournal(archive, Budget()).slot(0)
    call = journal.sent("m", MESSAGES, 1000, 0.5)
    assert beside.llm_totals().tokens == 1000
    assert beside.llm_totals().usd == 0.5
    journal.received(call, "reply", 70, 30, 0.01)
    assert (beside.llm_totals().tokens, beside.llm_totals().usd) == (100, 0.01)
    again = CallJournal(archive, Budget()).slot(0).calls()
    assert [(c.prompt, c.reply, c.outcome) for c in again] == [(MESSAGES, "reply", "ok")]


def test_a_call_lost_with_a_killed_run_counts_with_its_reserve(archive: Archive) -> None:
    CallJournal(archive, Budget()).slot(0).sent("m", MESSAGES, 1000, 0.5)
    resumed = CallJournal(archive, Budget(tokens=1500))
    with pytest.raises(BudgetReached, match="tokens"):
        resumed.slot(1).sent("m", MESSAGES, 501, 0.0)
    assert archive.llm_totals().calls == 1
    resumed.slot(0).sent("m", MESSAGES, 500, 0.0)


def test_dollars_are_capped_over_all_calls_in_flight(archive: Archive) -> None:
    journal = CallJournal(archive, Budget(usd=1.0))
    first = journal.slot(0).sent("m", MESSAGES, 10, 0.6)
    with pytest.raises(BudgetReached, match="usd"):
        journal.slot(0).sent("m", MESSAGES, 10, 0.6)
    assert first == 1


def test_a_refused_call_costs_nothing_and_one_that_broke_off_keeps_its_reserve(archive: Archive) -> None:
    journal = CallJournal(archive, Budget())
    slot = journal.slot(0)
    slot.failed(slot.sent("m", MESSAGES, 10, 0.6), "http_429", "slow down")
    slot.failed(slot.sent("m", MESSAGES, 20, 0.3), "disconnected", "")
    assert (journal.totals.tokens, journal.totals.usd) == (20, pytest.approx(0.3))
    assert archive.llm_totals() == journal.totals
