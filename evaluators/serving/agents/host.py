"""Host memory to which sessions' KV is swapped, and the link to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evaluators.serving.engine.blocks import Blocks
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.request import Segment

Prefix = tuple[Segment, ...]


@dataclass(eq=False, slots=True)
class Load:
    """A copy from host memory under way, for a turn that waits.

    Args:
        end: When it is done, in seconds.
        held: Tokens of the prompt that the prefix cache has; `tokens` with those that come.
    """

    sequence: Sequence
    end: float
    held: int
    tokens: int


class HostMemory:
    """Copies of sessions' KV. Either direction of the link moves one session at a time, in order.

    Attributes:
        free: Blocks.
        swaps: Sessions moved out so far.
        loads: Copies back that have begun, until somebody takes them.
    """

    def __init__(self, blocks: int, blocks_per_second: float) -> None:
        self.free = blocks
        self.swaps = 0
        self.loads: list[Load] = []
        self._rate = blocks_per_second
        self._out_free = self._in_free = 0.0  # when each direction of the link is
        self._copies: dict[int, tuple[int, int]] = {}  # stream: tokens of the whole prefix, blocks of the stream alone
        self._loading: set[int] = set()

    def seconds(self, blocks: int) -> float:
        """What a copy takes once the link is free."""
        return blocks / self._rate

    def begin_swap(self, blocks: int, now: float) -> float | None:
        """Start copying a session's blocks out; when that is done. None, and nothing happens, without room."""
        if blocks > self.free:
            return None
        self.free -= blocks
        self._out_free = max(self._out_free, now) + self.seconds(blocks)
        return self._out_free

    def end_swap(self, key: int, tokens: int, blocks: int) -> None:
        """The copy is complete: the first `tokens` tokens of a prompt that ends in this stream."""
        self.swaps += 1
        self._copies[key] = tokens, blocks

    def cancel_swap(self, blocks: int) -> None:
        """The session's next turn came first: its KV is needed where it is."""
        self.free += blocks

    def drop(self, keys: Iterable[int]) -> None:
        """These streams are not continued."""
        for key in keys:
            _, blocks = self._copies.pop(key, (0, 0))
            self.free += blocks

    def tokens(self, prefix: Prefix) -> int:
        """Tokens of a prompt whose KV is here."""
        tokens, _ = self._copies.get(prefix[-1].key, (0, 0)) if prefix else (0, 0)
        return tokens

    def is_loading(self, sequence: Sequence) -> bool:
        """Whether the KV of a waiting turn is on its way back."""
        return sequence.id in self._loading

    def load(self, sequence: Sequence, kv: Blocks, now: float) -> bool:
        """Start copying the KV of a waiting turn back, for whose prompt there is room. Whether there is any to copy."""
        prefix = sequence.request.prefix
        tokens = self.tokens(prefix)
        if not tokens:
            return False
        held, cache = kv.match(sequence), kv.cache
        _, blocks = self._copies.pop(prefix[-1].key)
        self.free += blocks
        if tokens <= held or cache is None:
            return False
        cache.hold(prefix, held)
        missing = (tokens - held) // kv.block_size
        kv.reserve(missing)
        self._in_free = max(self._in_free, now) + self.seconds(missing)
        self._loading.add(sequence.id)
        self.loads.append(Load(sequence, self._in_free, held, tokens))
        return True

    def end_load(self, load: Load, kv: Blocks) -> None:
        """The KV has arrived: it is the prefix cache's, and held there for whoever ends the load."""
        assert kv.cache is not None
        kv.unreserve((load.tokens - load.held) // kv.block_size)
        kv.cache.extend(load.sequence.request.prefix, load.held, load.tokens)
        self._loading.remove(load.sequence.id)
