"""The population in SQLite: the writing side, used by the one committer of a run.

Every write is one `BEGIN IMMEDIATE` transaction (a deferred one fails with "database is locked" when it upgrades).
Nothing is deleted, and nothing that was committed is changed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adrs.archive.reader import ArchiveReader
from adrs.archive.records import Outcome, Plan, RunInfo
from adrs.evaluation.outcome import Evaluation, Inspection, Listed
from adrs.proposers.base import Proposal


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Archive(ArchiveReader):
    """An archive opened for writing; the caller holds the run's lock."""

    @classmethod
    def create(cls, path: Path, info: RunInfo, seed: str, train: Sequence[Listed], warm: Sequence[str] = ()) -> Archive:
        """A new archive: the run, its train workloads, the seed's proposal as slot 0, and the texts of a warm start."""
        archive = cls.open(path)
        with archive.transaction() as db:
            shas = [_insert_source(db, text) for text in warm]
            db.execute(
                "INSERT INTO run VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    info.problem, info.problem_hash, info.snapshot, _dump(info.objective),
                    info.fingerprint, info.limits_hash, info.seed, info.order, info.lag,
                    info.strategy, _dump(info.proposer), info.sandbox, _dump(info.environment),
                    _dump(shas), now(),
                ),
            )  # fmt: skip
            _insert_workloads(db, train)
            archive.insert_plans([Plan(id=0, position=0, parents=())])
            _set_proposal(db, 0, Proposal("ok", seed, "seed"))
        return archive

    @classmethod
    def open(cls, path: Path) -> Archive:
        """Open or create the file, and bring its schema up to date."""
        from sqlite_utils import Database

        from adrs.archive.schema import migrations

        db = sqlite3.connect(path, isolation_level=None, timeout=30)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        migrations.apply(Database(db))
        return cls(db)

    @contextmanager
    def transaction(self, paid: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing, and safe from a killed process. What was paid for is also synced, safe from a power cut.

        Anything else that a power cut takes is a tail of the log, and is computed again from what was synced.
        """
        self.db.execute(f"PRAGMA synchronous = {'FULL' if paid else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def add_workloads(self, workloads: Sequence[Listed]) -> None:
        with self.transaction() as db:
            _insert_workloads(db, workloads)

    def record_proposal(self, slot: int, proposal: Proposal) -> None:
        """What a proposer wrote for a planned slot; it is never asked again."""
        with self.transaction() as db:
            _set_proposal(db, slot, proposal)

    def record_inspection(self, source: str, inspection: Inspection) -> None:
        with self.transaction() as db:
            db.execute(
                "UPDATE source SET code_hash=?, code_size=?, invalid=? WHERE sha=?",
                (inspection.code_hash or source, inspection.code_size, inspection.error or None, source),
            )

    def record_evaluation(self, code_hash: str, workload: str, evaluation: Evaluation, repeat: int = 0) -> None:
        with self.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO evaluation VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    code_hash, workload, self.info.fingerprint, self.info.limits_hash, repeat,
                    evaluation.status, _dump(evaluation.metrics), evaluation.error, evaluation.seconds,
                ),
            )  # fmt: skip

    def mark(self, slot: int, sequence: int, outcome: Outcome) -> None:
        """End a slot, within the caller's transaction. `sequence` counts commits from 0 (the seed)."""
        done = self.db.execute(
            "UPDATE candidate SET committed=?, status=?, score=?, error=?, evaluated=?, duplicate_of=?, committed_at=?"
            " WHERE id=? AND committed IS NULL",
            (
                sequence, outcome.status, outcome.score, outcome.error, outcome.evaluated,
                outcome.duplicate_of, now(), slot,
            ),
        )  # fmt: skip
        if done.rowcount != 1:
            raise sqlite3.IntegrityError(f"candidate {slot} is not pending")

    def insert_plans(self, plans: Sequence[Plan]) -> None:
        """Plan slots, within the caller's transaction."""
        self.db.executemany(
            "INSERT INTO candidate (id, position, parents, inspirations, failures, threshold, hints)"
            " VALUES (?,?,?,?,?,?,?)",
            [
                (
                    p.id, p.position, _dump(p.parents), _dump(p.inspirations), _dump(p.failures),
                    p.threshold, _dump(p.hints),
                )
                for p in plans
            ],
        )  # fmt: skip

    def event(self, kind: str, **data: Any) -> None:
        with self.transaction() as db:
            db.execute("INSERT INTO event (at, kind, data) VALUES (?,?,?)", (now(), kind, _dump(data)))


def _insert_source(db: sqlite3.Connection, text: str) -> str:
    key = sha(text)
    db.execute("INSERT OR IGNORE INTO source (sha, text) VALUES (?,?)", (key, text))
    return key


def _insert_workloads(db: sqlite3.Connection, workloads: Sequence[Listed]) -> None:
    rows = [(w.split, w.salt, w.index, w.hash, w.name, w.regime, w.cluster, _dump(w.bound)) for w in workloads]
    db.executemany("INSERT OR IGNORE INTO workload VALUES (?,?,?,?,?,?,?,?)", rows)


def _set_proposal(db: sqlite3.Connection, slot: int, proposal: Proposal) -> None:
    source = None if proposal.source is None else _insert_source(db, proposal.source)
    db.execute(
        "UPDATE candidate SET proposal=?, source=?, operator=?, notes=?, error=? WHERE id=? AND committed IS NULL",
        (proposal.status, source, proposal.operator, _dump(proposal.notes), proposal.error, slot),
    )


def _dump(data: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
