"""What a policy sees of an engine: kept from call to call and brought up to date, which is cheaper than making it."""

from __future__ import annotations

from itertools import islice

import numpy as np
import numpy.typing as npt

from evaluators.serving.batching.interface import (
    ARRIVED,
    FREES,
    GENERATED,
    ID,
    LAST_TOKEN,
    PREDICTED,
    PRIORITY,
    PROMPT,
    TBT_SLO,
    TENANT,
    Engine,
    Prompt,
)
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence

Floats = npt.NDArray[np.float64]

WINDOW = 64  # waiting requests that a policy sees
COLUMNS = 10


class View:
    """Of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._waiting: dict[int, Prompt] = {}
        self._rows = _Rows(instance)

    def waiting(self) -> list[Prompt]:
        """The first `WINDOW` waiting requests."""
        instance, known = self._instance, self._waiting
        shown = list(islice(instance.waiting, WINDOW))
        for identity in shown:
            if identity not in known:
                known[identity] = _prompt(instance.waiting[identity], instance)
        rows = [known[identity] for identity in shown]
        if instance.kv.cache is not None:
            for row in rows:
                _look_up(row, instance.waiting[row.id], instance)
        return rows

    def prefilling(self) -> list[Prompt]:
        """Requests that are part-way through their prompts."""
        return [_prompt(sequence, self._instance) for sequence in self._instance.prefilling.values()]

    def decoding(self) -> Floats:
        """Requests that generate; valid until the next call."""
        return self._rows.current()

    def engine(self) -> Engine:
        """The engine itself."""
        instance = self._instance
        limits, kv = instance.deployment, instance.kv
        needed = instance.decoding.blocks(1)
        return Engine(
            kv.total,
            kv.block_size,
            kv.free,
            needed,
            limits.max_batch_tokens,
            limits.max_sequences,
            len(instance.waiting),
        )

    def leaves_queue(self, identity: int) -> None:
        """A waiting request is admitted: when it waits again, it is another case."""
        self._waiting.pop(identity, None)

    def stops_decoding(self, identity: int) -> None:
        """A decoding request is held or preempted."""
        self._rows.drop(identity)


def _prompt(sequence: Sequence, instance: Instance) -> Prompt:
    request = sequence.request
    size = instance.kv.block_size
    runs = sequence.id in instance.prefilling
    return Prompt(
        id=sequence.id,
        arrived=request.arrival,
        tokens=sequence.target,
        computed=sequence.computed,
        blocks=blocks_of(sequence.computed, size) if runs else 0,
        frees=instance.kv.frees(sequence) if runs else 0,
        generated=sequence.generated,
        predicted=-1 if request.predicted_tokens is None else request.predicted_tokens,
        last_token=sequence.last_token_at if sequence.generated else request.arrival,
        ttft_slo=request.ttft_slo,
        tbt_slo=request.tbt_slo,
        priority=request.priority,
        tenant=request.tenant,
        preemptions=sequence.preemptions,
        swapped=sequence.swapped,
    )


def _look_up(row: Prompt, sequence: Sequence, instance: Instance) -> None:
    """What the prefix cache has of a waiting request changes from call to call."""
    if not sequence.swapped:
        row.computed = instance.kv.match(sequence)
        row.blocks = blocks_of(row.computed, instance.kv.block_size) - instance.kv.need(sequence, 0)


class _Rows:
    """The decoding requests as rows of a matrix, in the order in which they joined.

    Of a row, only the tokens generated and the time of the last one change while it decodes, and those of all rows
    alike: the matrix holds them less the count of iterations, which is added when it is shown.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._ids: list[int] = []
        self._known: dict[int, None] = {}
        self._matrix = np.empty((64, COLUMNS))

    def current(self) -> Floats:
        decoding = self._instance.decoding
        for identity in self._known.keys() - decoding.members.keys():
            self.drop(identity)
        self._join()
        shown = self._matrix[: len(self._ids)].copy()
        if self._ids:
            shown[:, GENERATED] += decoding.epoch
            self._show_times(shown)
            self._show_blocks(shown)
        return shown

    def drop(self, identity: int) -> None:
        if identity in self._known:
            row = self._ids.index(identity)
            del self._ids[row], self._known[identity]
            self._matrix[row : len(self._ids)] = self._matrix[row + 1 : len(self._ids) + 1]

    def _join(self) -> None:
        """Those who are new stand last among the members."""
        members = self._instance.decoding.members
        fresh = len(members) - len(self._ids)
        if len(members) > len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty((len(members), COLUMNS))])
        for identity in reversed(list(islice(reversed(members), fresh))):
            self._matrix[len(self._ids)] = _row(members[identity])
            self._ids.append(identity)
            self._known[identity] = None

    def _show_times(self, shown: Floats) -> None:
        """All made their last token in the last iteration that decoded, but those who joined since."""
        decoding = self._instance.decoding
        in_step = len(self._ids)
        while in_step and decoding.members[self._ids[in_step - 1]].joined == decoding.epoch:
            in_step -= 1
        if in_step:
            shown[:in_step, LAST_TOKEN] = decoding.last_token_at(decoding.members[self._ids[0]])

    def _show_blocks(self, shown: Floats) -> None:
        kv = self._instance.kv
        if kv.cache is None:
            shown[:, FREES] = np.ceil((shown[:, PROMPT] + shown[:, GENERATED] - 1.0) / kv.block_size)
        else:
            self._instance.decoding.refresh()
            members = self._instance.decoding.members
            shown[:, FREES] = [kv.frees(members[identity]) for identity in self._ids]


def _row(sequence: Sequence) -> Floats:
    request = sequence.request
    row = np.empty(COLUMNS)
    row[ID] = sequence.id
    row[ARRIVED] = request.arrival
    row[PROMPT] = request.prompt_tokens
    row[GENERATED] = sequence.generated - sequence.synced
    row[PREDICTED] = -1 if request.predicted_tokens is None else request.predicted_tokens
    row[LAST_TOKEN] = sequence.last_token_at
    row[TBT_SLO] = request.tbt_slo
    row[PRIORITY] = request.priority
    row[TENANT] = request.tenant
    row[FREES] = 0
    return row
