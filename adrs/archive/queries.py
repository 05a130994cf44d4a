"""Questions that are asked when looking at a run; the loop itself needs none of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from adrs.archive.reader import ArchiveReader
from adrs.evaluation.outcome import Evaluation, Listed


@dataclass(frozen=True)
class Ending:
    """What the commit of a candidate says beside its status and score."""

    evaluated: int  # train workloads that the outcome rests on
    duplicate_of: int | None
    committed_at: str


@dataclass(frozen=True)
class LlmCall:
    """One call of a slot. Tokens and dollars are those reserved until a reply tells what it took."""

    id: int
    model: str
    outcome: str
    message: str
    seconds: float | None
    tokens: int
    usd: float


@dataclass(frozen=True)
class EvaluationTotals:
    """Evaluations stored in a run, and the wall seconds that their policies' calls took."""

    count: int
    seconds: float


def stop_reason(archive: ArchiveReader) -> str | None:
    """Why the last session ended; None if nothing was written about it, so that it runs or was killed."""
    row = archive.db.execute(
        "SELECT data FROM event WHERE kind='stopped' AND at >= coalesce((SELECT committed_at FROM candidate"
        " WHERE committed = (SELECT max(committed) FROM candidate)), '') ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    reason: str = json.loads(row[0])["reason"]
    return reason


def last_commit(archive: ArchiveReader) -> str | None:
    """Time of the last commit, ISO 8601 in UTC."""
    row = archive.db.execute(
        "SELECT committed_at FROM candidate WHERE committed = (SELECT max(committed) FROM candidate)"
    ).fetchone()
    return None if row is None else row[0]


def count_pending(archive: ArchiveReader) -> int:
    """Slots that are planned and not committed."""
    count: int = archive.db.execute("SELECT count(*) FROM candidate WHERE committed IS NULL").fetchone()[0]
    return count


def evaluation_totals(archive: ArchiveReader) -> EvaluationTotals:
    row = archive.db.execute("SELECT count(*), coalesce(sum(seconds), 0.0) FROM evaluation").fetchone()
    return EvaluationTotals(*row)


def train_bound(archive: ArchiveReader) -> float | None:
    """The score that no policy can exceed on train, None unless every workload has a bound."""
    train = archive.workloads("train")
    bounds = [bound for one in train if (bound := archive.objective.bound(one.bound)) is not None]
    return archive.objective.combine(bounds) if train and len(bounds) == len(train) else None


def ending(archive: ArchiveReader, id: int) -> Ending:
    """Of a committed candidate."""
    row = archive.db.execute(
        "SELECT coalesce(evaluated, 0), duplicate_of, committed_at FROM candidate WHERE id=?", (id,)
    ).fetchone()
    return Ending(*row)


def evaluations(archive: ArchiveReader, id: int, split: str) -> list[tuple[Listed, Evaluation]]:
    """The stored evaluations of a candidate's code, in the order of the workloads."""
    code_hash = archive.code_hash(id)
    if code_hash is None:
        return []
    pairs = [(listed, archive.evaluation(code_hash, listed.hash)) for listed in archive.workloads(split)]
    return [(listed, evaluation) for listed, evaluation in pairs if evaluation is not None]


def llm_calls(archive: ArchiveReader, id: int) -> list[LlmCall]:
    """The calls made for a slot, in order."""
    rows = archive.db.execute(
        "SELECT id, model, outcome, message, seconds, coalesce(prompt_tokens + reply_tokens, reserve_tokens),"
        " coalesce(usd, reserve_usd) FROM llm_call WHERE slot=? ORDER BY id",
        (id,),
    )
    return [LlmCall(*row) for row in rows]
