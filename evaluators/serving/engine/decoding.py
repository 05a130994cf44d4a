"""The sequences of an engine that decode in lock-step, in constant time an iteration.

Iterations in which they decode are counted: the count is the *epoch*. All that changes with each iteration follows from
the epoch at which a sequence joined: its tokens, the epoch of its last token, and the epochs at which it needs another
block. So an iteration touches no sequence, and many iterations are as cheap as one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import heappop, heappush

from evaluators.serving.engine.gaps import Gaps
from evaluators.serving.engine.sequence import Sequence


class Decoding:
    """Sequences that make one token in each epoch.

    Attributes:
        members: By id.
        epoch: Iterations so far in which they decoded.
        context: Tokens in the KV cache, summed over the members.
    """

    def __init__(self, block_size: int, gaps: Gaps) -> None:
        self.members: dict[int, Sequence] = {}
        self.epoch = 0
        self.context = 0
        self._block_size = block_size
        self._gaps = gaps
        self._ends: list[tuple[int, int]] = []  # heap of (epoch of the last token, id); those who left linger
        self._crossings = [0] * block_size  # members that need a block in epochs of this residue
        self._fresh: list[Sequence] = []  # joined since the last epoch: their last token is of another time
        self._last = 0.0  # when the last epoch ended
        self._maxima = _Maxima()

    def __len__(self) -> int:
        return len(self.members)

    def join(self, sequence: Sequence) -> None:
        """A sequence whose last token is made, but not yet computed, decodes from the next epoch on."""
        sequence.joined = sequence.synced = self.epoch
        sequence.finish_epoch = self.epoch + sequence.request.output_tokens - sequence.generated
        self.members[sequence.id] = sequence
        self.context += sequence.computed
        self._crossings[(self.epoch - sequence.computed) % self._block_size] += 1
        self._fresh.append(sequence)
        heappush(self._ends, (sequence.finish_epoch, sequence.id))

    def leave(self, sequence: Sequence) -> None:
        """It stops, brought up to date."""
        self._sync(sequence)
        del self.members[sequence.id]
        self.context -= sequence.computed
        self._crossings[(self.epoch - sequence.computed) % self._block_size] -= 1
        if sequence.joined == self.epoch:
            self._fresh.remove(sequence)
        else:
            sequence.last_token_at = self._last
            sequence.largest_gap = max(sequence.largest_gap, self._maxima.since(sequence.joined + 2))

    def refresh(self) -> None:
        """Bring `computed` and `generated` of the members up to date."""
        for sequence in self.members.values():
            self._sync(sequence)

    def last_token_at(self, sequence: Sequence) -> float:
        """When a member made its last token."""
        return sequence.last_token_at if sequence.joined == self.epoch else self._last

    def epochs_to_end(self) -> int:
        """Epochs until the first member makes its last token; there must be members."""
        while True:
            epoch, identity = self._ends[0]
            member = self.members.get(identity)
            if member is not None and member.finish_epoch == epoch:
                return epoch - self.epoch
            heappop(self._ends)

    def blocks(self, epochs: int) -> int:
        """Blocks that the members need beyond those they have for so many epochs."""
        cycles, rest = divmod(epochs, self._block_size)
        first = self.epoch % self._block_size
        need = cycles * len(self.members)
        for residue in range(first, first + rest):
            need += self._crossings[residue % self._block_size]
        return need

    def epochs_within(self, blocks: int, at_most: int) -> int:
        """How many epochs so many blocks are enough for, at most as given."""
        cycles, blocks = divmod(blocks, len(self.members))
        epochs = cycles * self._block_size
        while epochs < at_most:
            blocks -= self._crossings[(self.epoch + epochs) % self._block_size]
            if blocks < 0:
                return epochs
            epochs += 1
        return at_most

    def run(self, epochs: int, first_end: float, end: float, last_duration: float) -> None:
        """Live through epochs: the first ends at `first_end`, the last at `end` after `last_duration`.

        The durations between do not decrease.
        """
        for sequence in self._fresh:
            gap = first_end - sequence.last_token_at
            sequence.largest_gap = max(sequence.largest_gap, gap)
            self._gaps.add(gap)
        in_step = len(self.members) - len(self._fresh)
        self._fresh.clear()
        if in_step:
            self._gaps.add(first_end - self._last, in_step)
            self._maxima.push(self.epoch + 1, first_end - self._last)
        if epochs > 1:
            self._gaps.add_range(end - first_end, last_duration, epochs - 1, len(self.members))
            self._maxima.push(self.epoch + epochs, last_duration)
        self.epoch += epochs
        self.context += epochs * len(self.members)
        self._last = end

    def ended(self) -> Iterator[Sequence]:
        """Those whose last token is made; each has left by the time that it is given."""
        while self._ends and self._ends[0][0] <= self.epoch:
            epoch, identity = heappop(self._ends)
            member = self.members.get(identity)
            if member is not None and member.finish_epoch == epoch:
                self.leave(member)
                yield member
        if not self.members:
            self._maxima.clear()

    def _sync(self, sequence: Sequence) -> None:
        epochs = self.epoch - sequence.synced
        if epochs:
            sequence.computed += epochs
            sequence.generated += epochs
            sequence.synced = self.epoch


class _Maxima:
    """The largest value since an epoch: a stack of those values that no later one exceeds."""

    def __init__(self) -> None:
        self._epochs: list[int] = []
        self._values: list[float] = []

    def push(self, epoch: int, value: float) -> None:
        while self._values and self._values[-1] <= value:
            self._values.pop()
            self._epochs.pop()
        self._values.append(value)
        self._epochs.append(epoch)

    def since(self, epoch: int) -> float:
        place = bisect_left(self._epochs, epoch)
        return self._values[place] if place < len(self._values) else 0.0

    def clear(self) -> None:
        self._epochs.clear()
        self._values.clear()
