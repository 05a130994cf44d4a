"""The scheduler of vLLM V1, for engines whose batching is not what is evolved.

Source: vLLM, `vllm/v1/core/sched/scheduler.py`, `Scheduler.schedule`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Chunk, Step


class VllmV1:
    """First come, first served, with chunked prefill.

    Running sequences come first, in order of admission: each takes its next token or the next chunk of its prompt, as
    far as the budget of tokens goes. Where blocks are short, the sequence admitted last is preempted and recomputed
    later. What is left of the budget admits waiting sequences in order, unless somebody was preempted, and as long as
    the whole prompt has room (`scheduler_reserve_full_isl`, on by default in vLLM 0.19; it is not set aside, though).
    """

    def __init__(self, max_batch_tokens: int | None = None, max_sequences: int | None = None) -> None:
        """The deployment's limits where none are given."""
        self._max_batch_tokens = max_batch_tokens
        self._max_sequences = max_sequences

    def schedule(self, now: float, instance: Instance) -> Step:
        """See `Scheduler`."""
        plan = _Plan(instance, self._max_batch_tokens or instance.deployment.max_batch_tokens)
        plan.serve_running()
        if not plan.preempted:
            seats = (self._max_sequences or instance.deployment.max_sequences) - len(instance.running)
            plan.admit(islice(self.order(instance), seats))
        iterations = 1 if plan.preempted else 0  # who waits may be admitted in the next
        return Step(
            tuple(plan.chunks), bool(plan.decodes), tuple(plan.hold), tuple(plan.preempted), iterations=iterations
        )

    def order(self, instance: Instance) -> Iterable[Sequence]:
        """In which order waiting sequences are admitted; the first that does not fit ends it."""
        return instance.waiting.values()


class _Plan:
    """A step in the making."""

    def __init__(self, instance: Instance, budget: int) -> None:
        self.chunks: list[Chunk] = []
        self.hold: list[int] = []
        self.preempted: list[int] = []
        self.decodes = 0
        self._instance = instance
        self._budget = budget
        self._free = instance.kv.free

    def serve_running(self) -> None:
        """The next token of each running sequence, or the next chunk of its prompt."""
        instance = self._instance
        decodes, need = len(instance.decoding), instance.decoding.blocks(1)
        in_front = list(islice(reversed(instance.running), len(instance.prefilling)))
        if need <= self._free and decodes <= self._budget and all(each in instance.prefilling for each in in_front):
            self.decodes = decodes
            self._budget -= decodes
            self._free -= need
            self._in_turn(reversed(in_front))
        else:
            instance.decoding.refresh()
            self._in_turn(list(instance.running))

    def admit(self, candidates: Iterable[Sequence]) -> None:
        """Waiting sequences as far as budget and blocks go."""
        admitted: list[Sequence] = []
        for sequence in candidates:
            if not self._budget:
                return
            left = sequence.target - self._instance.kv.match(sequence)
            whole = self._instance.kv.need(sequence, left, beside=admitted)
            if whole > self._free:
                return
            tokens = min(left, self._budget)
            blocks = whole if tokens == left else self._instance.kv.need(sequence, tokens, beside=admitted)
            self._chunk(sequence, tokens, blocks)
            admitted.append(sequence)

    def _in_turn(self, identities: Iterable[int]) -> None:
        """Running sequences one by one, in order of admission."""
        instance = self._instance
        gone: set[int] = set()
        for identity in identities:
            if identity in gone:
                continue
            sequence = instance.running[identity]
            prefills = identity in instance.prefilling
            tokens = min(sequence.remaining if prefills else 1, self._budget)
            if not tokens:
                if not prefills:
                    self.hold.append(identity)
                continue
            blocks = self._blocks(sequence, tokens)
            while blocks > self._free and identity not in gone:
                gone.add(self._preempt_last(gone))
            if identity in gone:
                return
            if prefills:
                self._chunk(sequence, tokens, blocks)
            else:
                self.decodes += 1
                self._budget -= 1
                self._free -= blocks

    def _blocks(self, sequence: Sequence, tokens: int) -> int:
        size = self._instance.kv.block_size
        return blocks_of(sequence.computed + tokens, size) - blocks_of(sequence.computed, size)

    def _preempt_last(self, gone: set[int]) -> int:
        """Preempt the sequence admitted last; its blocks are free at once."""
        self._instance.decoding.refresh()
        last = next(each for each in reversed(self._instance.running) if each not in gone)
        self.preempted.append(last)
        self._free += self._instance.kv.frees(self._instance.running[last])
        return last

    def _chunk(self, sequence: Sequence, tokens: int, blocks: int) -> None:
        self.chunks.append(Chunk(sequence.id, tokens))
        self._budget -= tokens
        self._free -= blocks
