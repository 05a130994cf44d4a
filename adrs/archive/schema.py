"""Schema of the archive, as migrations of sqlite-utils. Applied ones are never edited: add another."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("adrs")


@migrations()
def m001_initial(db: Database) -> None:
    for statement in _INITIAL.split(";"):
        db.execute(statement)


_INITIAL = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    problem TEXT NOT NULL, problem_hash TEXT NOT NULL, snapshot TEXT NOT NULL, objective TEXT NOT NULL,
    fingerprint TEXT NOT NULL, limits_hash TEXT NOT NULL,
    seed INTEGER NOT NULL, commit_order TEXT NOT NULL, lag INTEGER NOT NULL,
    strategy TEXT NOT NULL, proposer TEXT NOT NULL, sandbox TEXT NOT NULL,
    environment TEXT NOT NULL, warm TEXT NOT NULL, created TEXT NOT NULL
);
CREATE TABLE workload (
    split TEXT NOT NULL, salt INTEGER NOT NULL, position INTEGER NOT NULL,
    hash TEXT NOT NULL, name TEXT NOT NULL, regime TEXT NOT NULL, cluster TEXT NOT NULL, bound TEXT NOT NULL,
    PRIMARY KEY (split, salt, position)
) WITHOUT ROWID;
CREATE TABLE source (
    sha TEXT PRIMARY KEY, text TEXT NOT NULL,
    code_hash TEXT, code_size INTEGER, invalid TEXT
) WITHOUT ROWID;
CREATE TABLE candidate (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,
    parents TEXT NOT NULL, inspirations TEXT NOT NULL, failures TEXT NOT NULL,
    threshold REAL, hints TEXT NOT NULL,
    proposal TEXT, source TEXT REFERENCES source (sha), operator TEXT, notes TEXT,
    committed INTEGER UNIQUE,
    status TEXT, score REAL, error TEXT, evaluated INTEGER, duplicate_of INTEGER REFERENCES candidate (id),
    committed_at TEXT
);
CREATE INDEX candidate_source ON candidate (source);
CREATE TABLE evaluation (
    code_hash TEXT NOT NULL, workload TEXT NOT NULL, fingerprint TEXT NOT NULL, limits TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    status TEXT NOT NULL, metrics TEXT NOT NULL, error TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (code_hash, workload, fingerprint, limits, repeat)
) WITHOUT ROWID;
CREATE TABLE llm_call (
    id INTEGER PRIMARY KEY, slot INTEGER NOT NULL REFERENCES candidate (id),
    model TEXT NOT NULL,
    sent TEXT NOT NULL, received TEXT, seconds REAL,
    prompt_tokens INTEGER, reply_tokens INTEGER, usd REAL,
    reserve_tokens INTEGER NOT NULL, reserve_usd REAL NOT NULL,
    outcome TEXT NOT NULL, message TEXT NOT NULL,
    reply TEXT, messages BLOB NOT NULL
);
CREATE INDEX llm_call_slot ON llm_call (slot);
CREATE TABLE event (id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL)
"""
