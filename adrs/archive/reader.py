"""The population in SQLite: the reading side. Needs nothing but sqlite3; any number of readers beside the committer."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adrs.archive.records import LlmTotals, Plan, RunInfo, Slot
from adrs.errors import InputError
from adrs.evaluation.outcome import Evaluation, Listed
from adrs.problem import Objective
from adrs.proposers.base import Candidate

if TYPE_CHECKING:
    from adrs.archive.frames import Frames


class ArchiveReader:
    """Queries over one archive. `db` is in autocommit mode."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    @classmethod
    def read(cls, path: Path) -> ArchiveReader:
        """Open an existing archive for reading.

        Raises:
            InputError: there is no archive at `path`.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such archive; expected a run made by `adrs evolve`")
        ended = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
        mode = "immutable=1" if ended else "mode=ro"  # SQLite cannot make its shared memory in a folder of others
        db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
        try:
            db.execute("SELECT 1 FROM run").fetchone()
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: not an archive of adrs: {error}") from None
        return cls(db)

    def close(self) -> None:
        self.db.close()

    def to_pandas(self) -> Frames:
        """Candidates and evaluations as data frames."""
        from adrs.archive.frames import to_frames

        return to_frames(self)

    @cached_property
    def info(self) -> RunInfo:
        row = self.db.execute(
            "SELECT problem, problem_hash, snapshot, objective, fingerprint, limits_hash, seed, commit_order, lag,"
            " strategy, proposer, sandbox, environment, warm, created FROM run"
        ).fetchone()
        if row is None:
            raise InputError("the archive holds no run: `adrs evolve` was killed before it began")
        return RunInfo(
            problem=row[0], problem_hash=row[1], snapshot=row[2], objective=json.loads(row[3]), fingerprint=row[4],
            limits_hash=row[5], seed=row[6], order=row[7], lag=row[8], strategy=row[9], proposer=json.loads(row[10]),
            sandbox=row[11], environment=json.loads(row[12]), warm=tuple(json.loads(row[13])), created=row[14],
        )  # fmt: skip

    @cached_property
    def objective(self) -> Objective:
        return Objective(**self.info.objective)  # type: ignore[arg-type]  # validated when the run was created

    def workloads(self, split: str = "train", salt: int = 0) -> list[Listed]:
        rows = self.db.execute(
            "SELECT split, salt, position, name, regime, cluster, hash, bound FROM workload"
            " WHERE split=? AND salt=? ORDER BY position",
            (split, salt),
        )
        return [Listed(r[0], r[1], r[2], r[3], r[4], r[5], r[6], json.loads(r[7])) for r in rows]

    @cached_property
    def _train(self) -> list[Listed]:
        return self.workloads("train")

    def source(self, key: str) -> str:
        text: str = self.db.execute("SELECT text FROM source WHERE sha=?", (key,)).fetchone()[0]
        return text

    def inspection(self, key: str) -> tuple[str, int, str] | None:
        """(code hash, code size, error) of a source, or None while it was not inspected."""
        row = self.db.execute("SELECT code_hash, code_size, invalid FROM source WHERE sha=?", (key,)).fetchone()
        return None if row is None or row[0] is None else (row[0], row[1], row[2] or "")

    def evaluation(self, code_hash: str, workload: str, repeat: int | None = None) -> Evaluation | None:
        """The evaluation that was stored under `repeat`, or without it the one that counts.

        A timed problem measures some policies twice: then a failure counts, or else the lower score.
        """
        rows = self.db.execute(
            "SELECT status, metrics, error, seconds FROM evaluation"
            " WHERE code_hash=? AND workload=? AND fingerprint=? AND limits=? AND repeat=coalesce(?, repeat)"
            " ORDER BY repeat",
            (code_hash, workload, self.info.fingerprint, self.info.limits_hash, repeat),
        ).fetchall()
        stored = [Evaluation(row[0], json.loads(row[1]), row[2], row[3]) for row in rows]
        return min(stored, key=self._standing) if len(stored) > 1 else next(iter(stored), None)

    def _standing(self, evaluation: Evaluation) -> float:
        return self.objective.score(evaluation.metrics) if evaluation.status == "ok" else -math.inf

    def candidate(self, id: int) -> Candidate:
        """A committed candidate with its scores on the train workloads.

        Raises:
            InputError: no such candidate was committed.
        """
        row = self.db.execute(_CANDIDATE + " WHERE c.id=? AND c.committed IS NOT NULL", (id,)).fetchone()
        if row is None:
            raise InputError(f"candidate {id} is not in this run; `adrs top` lists them")
        return self._candidate(row)

    def committed(self) -> Iterator[Candidate]:
        """All committed candidates in commit order."""
        for row in self.db.execute(_CANDIDATE + " WHERE c.committed IS NOT NULL ORDER BY c.committed"):
            yield self._candidate(row)

    def _candidate(self, row: Sequence[Any]) -> Candidate:
        scores: dict[str, float] = {}
        bounds: dict[str, float] = {}
        metrics: dict[str, float] = {}
        for listed in self._train[: row[11] or 0]:
            evaluation = self.evaluation(row[10], listed.hash)
            if evaluation is None or evaluation.status != "ok":
                continue
            scores[listed.name] = self.objective.score(evaluation.metrics)
            bound = self.objective.bound(listed.bound)
            if bound is not None:
                bounds[listed.name] = bound
            for name, value in evaluation.metrics.items():
                metrics[name] = metrics.get(name, 0.0) + value
        return Candidate(
            id=row[0], parents=tuple(json.loads(row[1])), source=row[2] or "", operator=row[3] or "", status=row[4],
            score=row[5], error=row[6] or "", scores=scores, bounds=bounds,
            metrics={name: value / len(scores) for name, value in metrics.items()},
            code_size=row[9] or 0, hints=json.loads(row[7]), notes=json.loads(row[8] or "{}"), parent_score=row[12],
        )  # fmt: skip

    def code_hash(self, id: int) -> str | None:
        row = self.db.execute(
            "SELECT s.code_hash FROM candidate c JOIN source s ON s.sha = c.source WHERE c.id=?", (id,)
        ).fetchone()
        return None if row is None else row[0]

    def pending(self) -> list[Slot]:
        """Planned slots that are not committed, in the order of planning."""
        rows = self.db.execute(_SLOT + " WHERE committed IS NULL ORDER BY position")
        return [_slot(row) for row in rows]

    def slot(self, id: int) -> Slot:
        """One planned slot, committed or not."""
        return _slot(self.db.execute(_SLOT + " WHERE id=?", (id,)).fetchone())

    def count_committed(self) -> int:
        count: int = self.db.execute("SELECT count(*) FROM candidate WHERE committed IS NOT NULL").fetchone()[0]
        return count

    def outcomes(self) -> dict[str, int]:
        """Committed candidates by status, the seed included."""
        return dict(
            self.db.execute(
                "SELECT status, count(*) FROM candidate WHERE committed IS NOT NULL"
                " GROUP BY status ORDER BY count(*) DESC"
            )
        )

    def top(self, count: int) -> list[tuple[int, float, int]]:
        """(id, train score, code size) of the best; of equals the smaller code, then the older."""
        return self.db.execute(
            "SELECT c.id, c.score, s.code_size FROM candidate c JOIN source s ON s.sha = c.source"
            " WHERE c.status='ok' ORDER BY c.score DESC, s.code_size, c.committed LIMIT ?",
            (count,),
        ).fetchall()

    def llm_totals(self) -> LlmTotals:
        row = self.db.execute(
            "SELECT count(*), coalesce(sum(coalesce(prompt_tokens + reply_tokens, reserve_tokens)), 0),"
            " coalesce(sum(coalesce(usd, reserve_usd)), 0.0) FROM llm_call"
        ).fetchone()
        return LlmTotals(*row)

    def last_event(self, kind: str) -> dict[str, Any] | None:
        row = self.db.execute("SELECT data FROM event WHERE kind=? ORDER BY id DESC LIMIT 1", (kind,)).fetchone()
        if row is None:
            return None
        data: dict[str, Any] = json.loads(row[0])
        return data


_SLOT = (
    "SELECT id, position, parents, inspirations, failures, threshold, hints, proposal, source, operator, notes, error"
    " FROM candidate"
)
_CANDIDATE = (
    "SELECT c.id, c.parents, s.text, c.operator, c.status, c.score, c.error, c.hints, c.notes, s.code_size,"
    " s.code_hash, c.evaluated, p.score FROM candidate c LEFT JOIN source s ON s.sha = c.source"
    " LEFT JOIN candidate p ON p.id = json_extract(c.parents, '$[0]')"
)


def _slot(row: Sequence[Any]) -> Slot:
    plan = Plan(
        id=row[0], position=row[1], parents=tuple(json.loads(row[2])), inspirations=tuple(json.loads(row[3])),
        failures=tuple(json.loads(row[4])), threshold=row[5], hints=json.loads(row[6]),
    )  # fmt: skip
    return Slot(plan, row[7], row[8], row[9] or "", json.loads(row[10] or "{}"), row[11] or "")
