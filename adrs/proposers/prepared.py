"""Proposals that need no proposer: a warm start from another run, and the replay of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adrs.archive.reader import ArchiveReader
from adrs.archive.records import Plan, Slot
from adrs.errors import InputError
from adrs.proposers.base import IMPORT, Candidate, Proposal
from adrs.proposers.edits import EditError, apply_reply


class WarmStart:
    """Fills the first slots with given sources (by sha, stored in the run's own archive)."""

    def __init__(self, archive: ArchiveReader, sources: Sequence[str]) -> None:
        self.archive = archive
        self.sources = sources

    def __call__(self, plan: Plan) -> Proposal | None:
        if not 1 <= plan.position <= len(self.sources):
            return None
        return Proposal("ok", self.archive.source(self.sources[plan.position - 1]), IMPORT)


class Recording:
    """Planner and proposer in one: the slots of an earlier archive in their recorded order, on their recorded parents.

    The replies of an LLM are applied anew to the source of the recorded parent; other proposals are taken as they are.

    Raises:
        InputError: there is no such archive, or nothing was committed in it.
    """

    def __init__(self, path: Path) -> None:
        self.archive = ArchiveReader.read(path)
        self._ids: list[int] = [
            row[0]
            for row in self.archive.db.execute(
                "SELECT id FROM candidate WHERE committed IS NOT NULL ORDER BY committed"
            )
        ]
        if not self._ids:
            raise InputError(f"{path}: nothing to replay; expected an archive with committed candidates")

    @property
    def seed(self) -> str:
        """The text that the recorded run began with."""
        return self._source(0)

    def observe(self, candidate: Candidate) -> None:
        """Nothing is learned in a replay."""

    def plan(self, position: int) -> Plan | None:
        if position >= len(self._ids):
            return None
        plan = self.archive.slot(self._ids[position]).plan
        return Plan(plan.id, position, plan.parents, plan.inspirations, plan.failures, plan.threshold, plan.hints)

    def __call__(self, plan: Plan) -> Proposal:
        slot = self.archive.slot(plan.id)
        reply = self._last_reply(plan.id)
        if reply is None:
            source = None if slot.source is None else self.archive.source(slot.source)
            return _proposal(slot, source, slot.error)
        try:
            return _proposal(slot, apply_reply(self._source(plan.parents[0]), reply), "")
        except EditError as error:
            return _proposal(slot, None, slot.error or str(error))  # in the words of the recording, if it failed there

    def _last_reply(self, id: int) -> str | None:
        row = self.archive.db.execute(
            "SELECT reply FROM llm_call WHERE slot=? AND reply IS NOT NULL ORDER BY id DESC LIMIT 1", (id,)
        ).fetchone()
        return None if row is None else row[0]

    def _source(self, id: int) -> str:
        key = self.archive.slot(id).source
        assert key is not None, "a parent has a source"
        return self.archive.source(key)


def _proposal(slot: Slot, source: str | None, error: str) -> Proposal:
    if source is not None:
        return Proposal("ok", source, slot.operator, slot.notes)
    return Proposal("void" if slot.proposal == "void" else "unapplied", None, slot.operator, slot.notes, error)
