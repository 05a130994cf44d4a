"""The scheduler of an engine whose prefill a policy chooses, across the wall.

Decodes are never held back. The referee keeps the KV cache out of the policy's hands: a prompt is begun only if all of
it fits, and where the tokens that are generated need that room after all, the request begun last is preempted and
recomputed later, as vLLM does.
"""

from __future__ import annotations

from itertools import islice

from adrs.evaluation.protocol import Policy
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Chunk, Refused, Step
from evaluators.serving.moe_prefill.interface import Engine, Prompt
from evaluators.serving.request import Request

WINDOW = 32  # waiting prompts that a policy sees

Row = tuple[int, int, int]


class Asking:
    """Asks the policy at each decision.

    Args:
        promise: Any request of the workload, for its SLOs: they are the same for all.
        until: Seconds; whoever has not served all requests by then starves them.
        decisions: The most there may be; whoever needs more lets the clock creep.
    """

    def __init__(self, policy: Policy, promise: Request, until: float, decisions: int) -> None:
        self._policy = policy
        self._promise = promise
        self._until = until
        self._most = decisions
        self._decisions = 0

    def schedule(self, now: float, instance: Instance) -> Step:
        """See `Scheduler`. Raises `Refused` where requests starve or the answer takes what is not free."""
        if now > self._until:
            left = len(instance.waiting) + len(instance.running)
            raise Refused(f"{left} requests are not served after {now:.0f} s; one by one, all would have been by then")
        view = _View(instance)
        if not (instance.waiting or view.prefilling):
            return Step(preempt=view.preempted, iterations=view.iterations)
        self._decisions += 1
        if self._decisions > self._most:
            raise Refused(f"more than {self._most} iterations with prefill: let more tokens or layers pass in each")
        waiting = [_shown(each, view.blocks_to_begin(each)) for each in islice(instance.waiting.values(), WINDOW)]
        prefilling = [_shown(each, 0) for each in view.prefilling]
        answer: list[Row] = self._policy.call("schedule", now, waiting, prefilling, view.engine(self._promise))
        view.check(answer)
        chunks = [_chunk(row, instance) for row in answer]
        return Step(chunks, preempt=view.preempted, iterations=view.iterations)


class _View:
    """An engine as it is once those have gone whose room is needed.

    Attributes:
        prefilling: What is left of the begun prompts.
        preempted: Who goes: the requests begun last.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._room = instance.kv.free - _promised(instance)
        self._decoding, self._context = len(instance.decoding), instance.decoding.context
        self.preempted: list[int] = []
        if self._room < 0:
            self._make_room()
        self.prefilling = [each for each in instance.prefilling.values() if each.id not in self.preempted]

    @property
    def iterations(self) -> int:
        """Who was preempted may begin anew in the next iteration: then it is time to ask again."""
        return 1 if self.preempted else 0

    def engine(self, promise: Request) -> Engine:
        """What the policy is told of it."""
        limits = self._instance.deployment
        running = len(self._instance.running) - len(self.preempted)
        return Engine(
            layers=limits.layers,
            decoding=self._decoding,
            context=self._context,
            batch_tokens=limits.max_batch_tokens,
            free_blocks=self._room,
            free_places=limits.max_sequences - running,
            ttft_slo=promise.ttft_slo,
            tbt_slo=promise.tbt_slo,
        )

    def check(self, answer: list[Row]) -> None:
        """Raises `Refused` where prompts are begun that do not fit; the rest is the engine's to check."""
        room = self._room
        for identity, _tokens, _layers in answer:
            if identity in self.preempted:
                raise Refused(f"prefill of request {identity}: it does not run any more, its room was needed")
            if identity in self._instance.waiting:
                blocks = self.blocks_to_begin(self._instance.waiting[identity])
                if blocks > room:
                    raise Refused(f"prefill of request {identity}: it takes {blocks} KV blocks, {room} are free")
                room -= blocks

    def blocks_to_begin(self, sequence: Sequence) -> int:
        """All that a waiting prompt will take."""
        return blocks_of(sequence.target, self._instance.kv.block_size)

    def _make_room(self) -> None:
        """Of a running request, room for the prompt is promised, and for the next token if it decodes."""
        instance = self._instance
        instance.decoding.refresh()
        for identity in reversed(instance.running):
            sequence = instance.running[identity]
            decodes = identity in instance.decoding.members
            self.preempted.append(identity)
            self._room += blocks_of(sequence.computed + 1 if decodes else sequence.target, instance.kv.block_size)
            self._decoding -= decodes
            self._context -= sequence.computed if decodes else 0
            if self._room >= 0:
                return


def _promised(instance: Instance) -> int:
    """Blocks that the next tokens of all take, and the rest of the prompts that are begun."""
    size = instance.kv.block_size
    rests = (
        blocks_of(each.target, size) - blocks_of(each.computed + each.chunk, size)
        for each in instance.prefilling.values()
    )
    return instance.decoding.blocks(1) + sum(rests)


def _shown(sequence: Sequence, blocks: int) -> Prompt:
    return Prompt(
        sequence.id,
        sequence.request.arrival,
        sequence.target,
        sequence.computed,
        sequence.chunk,
        sequence.layers,
        blocks,
    )


def _chunk(row: Row, instance: Instance) -> Chunk:
    """Layers are left open where tokens pass all of them at once: then the engine need not look at each."""
    identity, tokens, layers = row
    begun = instance.prefilling.get(identity)
    at_once = layers == instance.deployment.layers and (begun is None or not begun.layers)
    return Chunk(identity, tokens, None if at_once else layers)
