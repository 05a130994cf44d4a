"""An archive as pandas data frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from adrs.archive.reader import ArchiveReader

_CANDIDATES = (
    "SELECT c.id, c.committed AS sequence, c.status, c.score, json_extract(c.parents, '$[0]') AS parent,"
    " c.parents, c.operator, s.code_size, c.evaluated, c.duplicate_of, c.error, c.notes, s.code_hash,"
    " c.committed_at, s.text AS source"
    " FROM candidate c LEFT JOIN source s ON s.sha = c.source WHERE c.committed IS NOT NULL ORDER BY c.committed"
)
_EVALUATIONS = (
    "SELECT c.id AS candidate, w.split, w.name AS workload, w.regime, w.cluster, e.repeat, e.status,"
    " e.seconds, e.error, e.metrics, w.bound FROM candidate c JOIN source s ON s.sha = c.source"
    " JOIN evaluation e ON e.code_hash = s.code_hash JOIN workload w ON w.hash = e.workload"
    " WHERE c.committed IS NOT NULL AND e.fingerprint = ? AND e.limits = ?"
    " ORDER BY c.committed, w.split, w.salt, w.position, e.repeat"
)


@dataclass(frozen=True)
class Frames:
    """`candidates`: one row a committed candidate, in commit order, indexed by id.

    `evaluations`: one row a candidate and workload, also where equal code was evaluated for another candidate, and one
    more with `repeat` 1 where a timed problem measured again; `score` and `bound` are NaN where there is none, and each
    metric has a column of its own, `metric.NAME`.
    """

    candidates: pd.DataFrame
    evaluations: pd.DataFrame


def to_frames(archive: ArchiveReader) -> Frames:
    """The committed part of an archive."""
    return Frames(_candidates(archive), _evaluations(archive))


def _candidates(archive: ArchiveReader) -> pd.DataFrame:
    frame = pd.read_sql_query(_CANDIDATES, archive.db)
    frame["parents"] = [tuple(json.loads(text)) for text in frame["parents"]]
    frame["notes"] = [json.loads(text or "{}") for text in frame["notes"]]
    frame["committed_at"] = pd.to_datetime(frame["committed_at"], utc=True, format="ISO8601")
    whole = ["parent", "code_size", "evaluated", "duplicate_of"]
    return frame.astype({"score": float, **dict.fromkeys(whole, "Int64")}).set_index("id")


def _evaluations(archive: ArchiveReader) -> pd.DataFrame:
    columns = ["candidate", "split", "workload", "regime", "cluster", "repeat", "status", "score", "bound"]
    columns += ["seconds", "error"]
    rows = archive.db.execute(_EVALUATIONS, (archive.info.fingerprint, archive.info.limits_hash))
    frame = pd.DataFrame.from_records([_evaluation(archive, *row) for row in rows])
    metrics = sorted(name for name in frame.columns if name not in columns)
    return frame.reindex(columns=columns + metrics).astype({"score": float, "bound": float})


def _evaluation(
    archive: ArchiveReader,
    candidate: int,
    split: str,
    workload: str,
    regime: str,
    cluster: str,
    repeat: int,
    status: str,
    seconds: float,
    error: str,
    metrics: str,
    bound: str,
) -> dict[str, Any]:
    values: dict[str, float] = json.loads(metrics)
    return {
        "candidate": candidate,
        "split": split,
        "workload": workload,
        "regime": regime,
        "cluster": cluster,
        "repeat": repeat,
        "status": status,
        "score": archive.objective.score(values) if status == "ok" else None,
        "bound": archive.objective.bound(json.loads(bound)),
        "seconds": seconds,
        "error": error,
        **{f"metric.{name}": value for name, value in values.items()},
    }
