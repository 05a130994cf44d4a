"""vLLM's scheduler for turns of sessions: a policy says in which order they are admitted, and pins keep their room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Listed
from dataclasses import replace

from evaluators.serving.agents.host import HostMemory
from evaluators.serving.agents.pins import Pins
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Step
from evaluators.serving.engine.vllm import VllmV1

Order = Callable[[float, Listed[Sequence]], Listed[int]]


class TurnScheduler(VllmV1):
    """Admits a turn only if its whole prompt fits beside what runs and what is pinned.

    So a pin that has been granted is broken in two cases only: a running turn would have to be preempted without the
    room; or nothing runs, and no pin is left that a tool's end or its own would end.

    Args:
        ask: All waiting turns, by id in the order in which to admit them.
        host: Turns whose KV is there have it copied back before they are admitted.

    Attributes:
        admitted: Turns admitted, until somebody takes them.
    """

    def __init__(self, pins: Pins, ask: Order, host: HostMemory) -> None:
        super().__init__()
        self.admitted: list[Sequence] = []
        self._pins, self._ask, self._host = pins, ask, host
        self._order: list[int] = []

    def schedule(self, now: float, instance: Instance) -> Step:
        """See `Scheduler`."""
        self._refresh_order(now, instance)
        self._make_room(now, instance)
        step = super().schedule(now, instance)
        self.admitted += [instance.waiting[chunk.id] for chunk in step.chunks if chunk.id in instance.waiting]
        return step if step.chunks or step.decode else replace(step, idle=True)

    def order(self, instance: Instance) -> Iterator[Sequence]:
        """In the policy's order, as far as there is room."""
        room = instance.kv.free - _growth(instance)
        for sequence in self._ready(instance):
            room -= _whole(instance, sequence)
            if room < 0:
                return
            if not self._host.load(sequence, instance.kv, instance.clock):
                yield sequence

    def _refresh_order(self, now: float, instance: Instance) -> None:
        """Ask only when somebody came: who leaves does not change the order of the others."""
        waiting = instance.waiting
        known = set(self._order)
        if any(identity not in known for identity in waiting):
            several = len(waiting) > 1
            self._order = list(self._ask(now, list(waiting.values())) if several else waiting)
        else:
            self._order = [identity for identity in self._order if identity in waiting]

    def _make_room(self, now: float, instance: Instance) -> None:
        while _growth(instance) > instance.kv.free and self._pins.give_way(now):
            pass
        if instance.running or self._pins.for_tools:
            return
        for sequence in self._ready(instance):
            while _whole(instance, sequence) > instance.kv.free and self._pins.give_way(now, sequence.request.session):
                pass
            return

    def _ready(self, instance: Instance) -> Iterator[Sequence]:
        """Waiting turns in the policy's order, but those whose KV is on its way."""
        for identity in self._order:
            sequence = instance.waiting[identity]
            if not self._host.is_loading(sequence):
                yield sequence


def _growth(instance: Instance) -> int:
    """Blocks that running turns need next: for the rest of their prompts, or for a token."""
    size = instance.kv.block_size
    prompts = sum(
        blocks_of(sequence.target, size) - blocks_of(sequence.computed + sequence.chunk, size)
        for sequence in instance.prefilling.values()
    )
    return prompts + instance.decoding.blocks(1)


def _whole(instance: Instance, sequence: Sequence) -> int:
    """Free blocks that the whole prompt of a waiting turn takes."""
    return instance.kv.need(sequence, sequence.target - instance.kv.match(sequence))
