"""The paged KV cache of an instance: blocks of running sequences, of the prefix cache, set aside, or free."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Refused
from evaluators.serving.request import Segment


def blocks_of(tokens: int, block_size: int) -> int:
    """Blocks that hold so many tokens."""
    return -(-tokens // block_size)


class Blocks:
    """Counts of blocks. A sequence's blocks that others may share are the prefix cache's, held by the sequence.

    Attributes:
        total: Blocks of the instance.
        cache: The prefix cache; None if the instance has none.
        reserved: Blocks set aside.
    """

    def __init__(self, total: int, block_size: int, cache: PrefixCache | None) -> None:
        self.total = total
        self.block_size = block_size
        self.cache = cache
        self.reserved = 0
        self._own = 0  # of running sequences alone

    @property
    def free(self) -> int:
        """Blocks that a sequence can take: empty ones, and those of the cache that no running sequence uses."""
        return self.total - self.in_use

    @property
    def in_use(self) -> int:
        """Blocks that running sequences use, and those set aside."""
        return self._own + self.reserved + (self.cache.blocks - self.cache.evictable if self.cache else 0)

    def match(self, sequence: Sequence) -> int:
        """Tokens of a waiting sequence that the prefix cache has: all but the last need not be computed."""
        if self.cache is None or not sequence.request.prefix or sequence.swapped:
            return 0
        most = (sequence.target - 1) // self.block_size * self.block_size
        return min(self.cache.match(_streams(sequence)), most)

    def need(self, sequence: Sequence, tokens: int, beside: Iterable[Sequence] = ()) -> int:
        """Free blocks that the first `tokens` tokens after the cached ones of a waiting sequence take.

        Blocks that it shares with those that start `beside` it are theirs to take.
        """
        cached = self.match(sequence)
        shared = self.cache.used(_streams(sequence), cached) if self.cache and cached else 0
        if cached:
            common = (min(cached, self.match(each), _common(sequence, each)) for each in beside)
            shared = max(shared, max(common, default=0))
        return blocks_of(cached + tokens, self.block_size) - shared // self.block_size

    def frees(self, sequence: Sequence) -> int:
        """Blocks that come free when a running sequence, brought up to date, is preempted."""
        shared = self.cache.used(_streams(sequence), sequence.shared, by=2) if self.cache and sequence.shared else 0
        return blocks_of(sequence.computed + sequence.chunk, self.block_size) - shared // self.block_size

    def take(self, blocks: int) -> None:
        """Blocks become running sequences' own; raises `Refused` where there are not so many."""
        self._empty(blocks)
        self._own += blocks

    def give_back(self, blocks: int) -> None:
        """Running sequences' own blocks are free again."""
        self._own -= blocks

    def grow(self, sequence: Sequence, tokens: int) -> None:
        """Take what the next tokens of a running sequence need."""
        computed = sequence.computed
        self.take(blocks_of(computed + tokens, self.block_size) - blocks_of(computed, self.block_size))

    def reserve(self, blocks: int) -> None:
        """Set blocks aside; raises `Refused` where there are not so many."""
        self._empty(blocks)
        self.reserved += blocks

    def unreserve(self, blocks: int) -> None:
        """Give blocks that were set aside back."""
        self.reserved -= blocks

    def adopt(self, sequence: Sequence) -> None:
        """Blocks that were set aside become a sequence's."""
        blocks = blocks_of(sequence.computed, self.block_size)
        self.reserved -= blocks
        self._own += blocks

    def hold(self, sequence: Sequence) -> None:
        """A waiting sequence starts behind what the prefix cache has of it."""
        cached = self.match(sequence)
        if cached and self.cache is not None:
            self.cache.hold(_streams(sequence), cached)
        sequence.computed = sequence.shared = cached
        sequence.cached += cached

    def share(self, sequence: Sequence) -> None:
        """Hand the full blocks that others may look for over to the prefix cache; the sequence holds them there."""
        if self.cache is None or not sequence.request.prefix:
            return
        whole = sequence.computed // self.block_size * self.block_size
        if whole > sequence.shared:
            self.cache.extend(_streams(sequence), sequence.shared, whole)  # its duplicates are given up
            self._own -= (whole - sequence.shared) // self.block_size
            sequence.shared = whole

    def release(self, sequence: Sequence) -> None:
        """A sequence gives its blocks back, the shared ones to the cache, where they stay until they are evicted."""
        shared = sequence.shared // self.block_size
        self._own -= blocks_of(sequence.computed + sequence.chunk, self.block_size) - shared
        if shared and self.cache is not None:
            self.cache.release(_streams(sequence), sequence.shared)
            sequence.shared = 0

    def _empty(self, blocks: int) -> None:
        """See that so many blocks are empty."""
        cached = self.cache.blocks if self.cache else 0
        missing = blocks - (self.total - self._own - self.reserved - cached)
        if missing <= 0:
            return
        if self.cache is None or missing > self.cache.evictable:
            raise Refused(f"the step needs {blocks} more KV blocks, {self.free} are free")
        self.cache.evict(missing)


def _common(one: Sequence, other: Sequence) -> int:
    """Tokens that two contexts begin with alike; see `Segment`."""
    tokens = 0
    for mine, theirs in zip(one.request.prefix, other.request.prefix, strict=False):
        if mine.key != theirs.key:
            break
        tokens += min(mine.tokens, theirs.tokens)
        if mine.tokens != theirs.tokens:
            break
    return tokens


def _streams(sequence: Sequence) -> tuple[Segment, ...]:
    """The streams of a sequence's context: its last one goes on with what it generated."""
    *before, last = sequence.request.prefix
    return (*before, Segment(last.key, last.tokens + sequence.generated))
