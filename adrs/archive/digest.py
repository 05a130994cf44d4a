"""A digest of everything in an archive that a run's seed determines; times and costs are left out."""

from __future__ import annotations

import hashlib
import json

from adrs.archive.reader import ArchiveReader


def digest(archive: ArchiveReader, candidates: int | None = None) -> str:
    """Digest of the committed prefix in commit order, or of its first `candidates` commits (the seed included).

    Covers each slot's plan, proposal and outcome, and the evaluations that the outcome rests on. Two runs with equal
    digests hold the same archive.
    """
    state = hashlib.sha256()
    train = archive.workloads("train")
    limit = -1 if candidates is None else candidates
    for row in archive.db.execute(_COMMITTED, (limit,)):
        state.update(json.dumps(row).encode())
        code_hash, evaluated = row[-1], row[-2] or 0
        for workload in train[:evaluated]:
            evaluation = archive.evaluation(code_hash, workload.hash)
            assert evaluation is not None, "a committed outcome rests on stored evaluations"
            state.update(json.dumps([workload.hash, evaluation.status, dict(evaluation.metrics)]).encode())
    return state.hexdigest()[:32]


_COMMITTED = (
    "SELECT c.id, c.parents, c.inspirations, c.failures, c.threshold, c.hints, c.proposal, c.source,"
    " c.operator, c.notes, c.committed, c.status, c.score, c.error, c.duplicate_of, c.evaluated, s.code_hash"
    " FROM candidate c LEFT JOIN source s ON s.sha = c.source"
    " WHERE c.committed IS NOT NULL ORDER BY c.committed LIMIT ?"
)
