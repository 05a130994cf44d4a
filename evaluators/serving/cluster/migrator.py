"""Migrations: those that are planned and have not begun, and those under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from evaluators.serving.cluster.migration import Copy, Network
from evaluators.serving.cluster.node import Node
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.sequence import Sequence

At = Callable[[float, Callable[[float], None]], None]
"""Have something called at a time, with that time."""


class Move(NamedTuple):
    """A request, at the node `source`, is to go on at the node `target`."""

    request: int
    source: int
    target: int


class Migrator:
    """Carries out moves.

    Attributes:
        moving: Sequences that are being copied, by id; those in their last stage run nowhere.
        completed: Migrations of decoding requests; `handed`: of waiting ones, which have nothing to copy.
        aborted: Because the target had no room, or the request ended or was preempted meanwhile.
        downtime: Seconds in which a request ran nowhere, over the completed migrations.
    """

    def __init__(self, nodes: list[Node], network: Network, at: At) -> None:
        self.moving: dict[int, Sequence] = {}
        self.completed = self.handed = self.aborted = 0
        self.downtime = 0.0
        self._nodes, self._network, self._at = nodes, network, at
        self._planned: list[Move] = []
        self._between: dict[int, tuple[Sequence, Node]] = {}

    def plan(self, moves: Iterable[Move], now: float) -> None:
        """Carry out these, each as soon as both its nodes are free; forget earlier ones that have not begun."""
        self._planned = list(moves)
        self._launch(now)

    def between(self, source: Node) -> list[Sequence]:
        """The sequences that have left a node and not arrived at another."""
        return [each for each, home in self._between.values() if home is source]

    def _launch(self, now: float) -> None:
        self._planned = [move for move in self._planned if not self._begin(move, now)]

    def _begin(self, move: Move, now: float) -> bool:
        """Whether the move is off the list: begun, or out of date."""
        source, target = self._nodes[move.source], self._nodes[move.target]
        if target.state != "ready":
            return True
        if move.request in source.engine.waiting:
            self._hand_over(move.request, source, target, now)
            return True
        sequence = source.engine.decoding.members.get(move.request)
        if sequence is None:
            return True
        if source.sending or target.receiving:
            return False
        source.sending = target.receiving = True
        self.moving[sequence.id] = sequence
        self._next_stage(_Transfer(Copy(*move), sequence, source, target, sequence.preemptions), now)
        return True

    def _hand_over(self, request: int, source: Node, target: Node, now: float) -> None:
        """A request that waits holds no KV. It keeps its place: the preempted ahead, then in the order of arrival."""
        sequence = source.engine.waiting.pop(request)
        target.engine.enqueue(sequence, now)
        for each in [each for each in target.engine.waiting.values() if _place(each) > _place(sequence)]:
            target.engine.waiting.move_to_end(each.id)
        source.touched = target.touched = now
        self.handed += 1

    def _next_stage(self, transfer: _Transfer, now: float) -> None:
        """Copy what is computed and not copied; if less than a block is left, stop with the iteration that runs."""
        if transfer.lost():
            self._abort(transfer, now)
            return
        source, deployment = transfer.source.engine, transfer.source.engine.deployment
        source.decoding.refresh()
        blocks = transfer.copy.next_stage(transfer.sequence.computed, deployment.block_size)
        if not blocks:
            source.interrupt(now)
            self._at(source.next_end(), lambda end: self._last_stage(transfer, end))
        elif transfer.target.engine.reserve(blocks, now):
            transfer.copy.begin(blocks)
            size = blocks * deployment.block_size * deployment.kv_token_bytes
            self._at(now + self._network.seconds(size), lambda end: self._next_stage(transfer, end))
        else:
            self._abort(transfer, now)

    def _last_stage(self, transfer: _Transfer, now: float) -> None:
        """The request stops, the rest is copied."""
        source, sequence, deployment = transfer.source.engine, transfer.sequence, transfer.source.engine.deployment
        source.decoding.refresh()
        rest = sequence.computed - transfer.copy.copied * deployment.block_size
        blocks = blocks_of(rest, deployment.block_size)
        target = transfer.target
        if transfer.lost() or not target.has_seat or not target.engine.reserve(blocks, now):
            self._abort(transfer, now)
            return
        target.scheduler.kept = 1
        source.detach(sequence.id)
        self._between[sequence.id] = sequence, transfer.source
        transfer.copy.begin(blocks)
        seconds = self._network.seconds(rest * deployment.kv_token_bytes)
        self.downtime += seconds
        self._at(now + seconds, lambda end: self._arrive(transfer, end))

    def _arrive(self, transfer: _Transfer, now: float) -> None:
        transfer.target.engine.attach(transfer.sequence, now)
        transfer.target.landed.append(transfer.sequence)
        transfer.target.scheduler.kept = 0
        del self._between[transfer.sequence.id]
        self.completed += 1
        self._close(transfer, now)

    def _abort(self, transfer: _Transfer, now: float) -> None:
        transfer.target.engine.unreserve(transfer.copy.copied, now)
        self.aborted += 1
        self._close(transfer, now)

    def _close(self, transfer: _Transfer, now: float) -> None:
        for node in (transfer.source, transfer.target):
            node.touched = now
        transfer.source.sending = transfer.target.receiving = False
        del self.moving[transfer.sequence.id]
        self._at(now, self._launch)


class _Transfer(NamedTuple):
    """A copy under way, with what it copies."""

    copy: Copy
    sequence: Sequence
    source: Node
    target: Node
    preemptions: int  # of the sequence, when it began

    def lost(self) -> bool:
        """Whether the sequence ended at the source, or lost its KV there."""
        decoding = self.source.engine.decoding.members
        return decoding.get(self.sequence.id) is not self.sequence or self.sequence.preemptions > self.preemptions


def _place(sequence: Sequence) -> tuple[bool, float]:
    """In the line of an engine."""
    return not sequence.preemptions, sequence.request.arrival
