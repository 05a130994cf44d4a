"""The prefix cache of one instance: which blocks of KV are kept for prompts to come, and which are evicted first.

It behaves as vLLM's block pool (docs.vllm.ai/en/latest/design/prefix_caching): a prompt finds its longest beginning of
full blocks; a block that nobody uses waits in a queue, least recently used first, and the blocks that a sequence gives
back enter it from the last to the first. But it counts blocks by stream instead of listing them, so that an operation
takes as long as a prompt has streams, however many tokens these have.

Blocks are cut over the whole prompt. One that spans two streams belongs to that of its last token: it can be found
again only by who continues with that stream, as a block's hash covers all tokens up to its end. Two things are simpler
than in vLLM, both in favour of what can be found again: a block that cannot be is empty at once and not in its turn,
and of two blocks with the same content one is given up as soon as both are full.

Why streams can be counted: who uses a block uses all before it. So blocks further behind are given back earlier or at
the same time, the queue holds them earlier, and what is left of a stream is always a beginning of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from evaluators.serving.request import Segment

Prefix = tuple[Segment, ...]


@dataclass(eq=False, slots=True)
class _Run:
    """Blocks of a stream that were given back together: from `start` up to `end`."""

    stream: _Stream
    start: int
    end: int


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream's cached blocks, numbered as in the whole prompt: from `first` up to `end`."""

    key: int
    parent: _Stream | None
    first: int
    end: int
    children: int = 0  # streams known that stand behind this one
    users: dict[int, int] = field(default_factory=dict)  # block up to which it is used: by how many
    used: int = 0  # up to here somebody uses it; `first` if nobody does
    unused: list[_Run] = field(default_factory=list)  # all from `used` up to `end`, the last blocks first

    def used_by(self, users: int) -> int:
        """Up to here at least so many use it; `first` if nowhere."""
        for end in sorted(self.users, reverse=True):
            users -= self.users[end]
            if users <= 0:
                return end
        return self.first


class PrefixCache:
    """The cached blocks of one instance.

    Attributes:
        block_size: Tokens.
        blocks: Held by the cache in all.
        evictable: Of these, the ones that neither a running sequence nor a pin uses.
        evicted: Blocks evicted so far.
    """

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self.blocks = self.evictable = self.evicted = 0
        self._streams: dict[int, _Stream] = {}
        self._queue: OrderedDict[_Run, None] = OrderedDict()  # least recently used first
        self._pins: dict[int, int] = {}  # key: up to which block

    # What there is

    def match(self, prefix: Prefix) -> int:
        """Tokens of the prefix, from its beginning, that lie in cached blocks: whole blocks."""
        size = self.block_size
        known = tokens = 0
        for key, length in prefix:
            tokens += length
            wanted = tokens // size
            if known < wanted:
                stream = self._streams.get(key)
                known = known if stream is None else min(stream.end, wanted)
                if known < wanted:
                    break
        return known * size

    def used(self, prefix: Prefix, tokens: int, by: int = 1) -> int:
        """How many of the first `tokens` tokens, all of them cached, at least `by` running sequences or pins use."""
        stream, end = self._locate(prefix, tokens)
        while stream is not None:
            used = stream.used if by == 1 else stream.used_by(by)
            if end > stream.first and used > stream.first:
                return min(used, end) * self.block_size
            end = min(end, stream.first)
            stream = stream.parent
        return 0

    def cached(self, key: int) -> int:
        """Blocks of this stream alone that are cached."""
        stream = self._streams.get(key)
        return 0 if stream is None else stream.end - stream.first

    # What sequences do

    def hold(self, prefix: Prefix, tokens: int) -> None:
        """One more sequence uses the first `tokens` tokens. Raises ValueError if they are not all cached."""
        if tokens > self.match(prefix):
            raise ValueError(f"{tokens} tokens are to be held, {self.match(prefix)} are cached")
        self._hold(*self._locate(prefix, tokens))

    def extend(self, prefix: Prefix, held: int, tokens: int) -> int:
        """A sequence that holds the first `held` tokens hands over the KV of the first `tokens`, and holds those.

        Both are whole blocks. Returns how many blocks became the cache's. The sequence's others were cached by somebody
        else meanwhile: they are free.

        Raises:
            ValueError: the prefix is shorter, or has a stream behind others than before.
        """
        added = self._grow(prefix, tokens // self.block_size)
        old = self._locate(prefix, held)
        self._hold(*self._locate(prefix, tokens))
        self._release(*old)  # all of it is held anew, so nothing becomes free
        self.blocks += added
        return added

    def release(self, prefix: Prefix, tokens: int) -> None:
        """One sequence less uses the first `tokens` tokens, which thereby become the most recently used."""
        self._release(*self._locate(prefix, tokens))

    def evict(self, blocks: int) -> int:
        """Free so many blocks, least recently used first, or as many as are evictable. Returns how many."""
        freed = 0
        while freed < blocks and self._queue:
            run = next(iter(self._queue))
            count = min(blocks - freed, run.end - run.start)
            self._cut(run, count)
            freed += count
        self.evicted += freed
        return freed

    def discard(self, key: int) -> int:
        """End a stream's pin and free at once what nobody uses of it, unless streams are known that stand behind it.

        Returns how many blocks.
        """
        self.unpin(key)
        stream = self._streams.get(key)
        if stream is None or stream.children:
            return 0
        freed = 0
        for run in list(stream.unused):
            freed += run.end - run.start
            self._cut(run, run.end - run.start)
        return freed

    # Pins

    def pin(self, key: int) -> None:
        """Keep what is cached of this stream now, and all before it: it counts as used. Replaces an earlier pin."""
        self.unpin(key)
        stream = self._streams.get(key)
        if stream is not None:
            self._pins[key] = stream.end
            self._hold(stream, stream.end)

    def unpin(self, key: int) -> None:
        """End a pin, if there is one. What it kept becomes the most recently used."""
        end = self._pins.pop(key, None)
        if end is not None:
            self._release(self._streams[key], end)

    @property
    def pins(self) -> Collection[int]:
        """The keys of pinned streams, the earliest pinned first."""
        return self._pins.keys()

    # Streams

    def _locate(self, prefix: Prefix, tokens: int) -> tuple[_Stream | None, int]:
        """The stream to which the last of the first blocks belongs, and the block behind it. None for no block."""
        size = self.block_size
        last, offset = tokens // size, 0
        found = None
        for key, length in prefix:
            if min(last, (offset + length) // size) > offset // size:
                found = self._streams.get(key)
            offset += length
            if offset // size >= last:
                break
        return found, last

    def _grow(self, prefix: Prefix, last: int) -> int:
        """Let the streams of a prefix reach up to a block; they are to be held there. Returns blocks added."""
        parent, offset, size, added = None, 0, self.block_size, 0
        for key, length in prefix:
            if offset // size >= last:
                break
            stream = self._streams.get(key) or self._found(key, parent, offset // size)
            if stream.parent is not parent or stream.first != offset // size:
                raise ValueError(f"stream {key} has stood behind other streams, or longer ones, before")
            offset += length
            end = min(last, offset // size)
            added += max(0, end - stream.end)
            stream.end = max(stream.end, end)
            parent = stream
        if offset // size < last:
            raise ValueError(f"{last * size} tokens are to be cached, the prefix has {offset}")
        return added

    def _found(self, key: int, parent: _Stream | None, first: int) -> _Stream:
        if parent is not None:
            parent.children += 1
        self._streams[key] = stream = _Stream(key, parent, first, first, used=first)
        return stream

    def _forget(self, stream: _Stream | None) -> None:
        """Drop a stream of which nothing is left, and those before it that only it had kept."""
        while stream is not None and stream.end == stream.first and not stream.children:
            del self._streams[stream.key]
            stream = stream.parent
            if stream is not None:
                stream.children -= 1

    def _hold(self, stream: _Stream | None, end: int) -> None:
        """One more uses a chain of streams up to a block of the last."""
        while stream is not None:
            if end > stream.first:
                stream.users[end] = stream.users.get(end, 0) + 1
                if end > stream.used:
                    self._dequeue(stream, end)
                    stream.used = end
            end = min(end, stream.first)
            stream = stream.parent

    def _release(self, stream: _Stream | None, end: int) -> None:
        while stream is not None:
            if end > stream.first:
                stream.users[end] -= 1
                if not stream.users[end]:
                    del stream.users[end]
                    used = max(stream.users, default=stream.first)
                    self._enqueue(stream, used, stream.used)
                    stream.used = used
            end = min(end, stream.first)
            stream = stream.parent

    # The queue

    def _enqueue(self, stream: _Stream, start: int, end: int) -> None:
        if start < end:
            run = _Run(stream, start, end)
            stream.unused.append(run)
            self._queue[run] = None
            self.evictable += end - start

    def _dequeue(self, stream: _Stream, end: int) -> None:
        """Blocks below `end` are used again; what is behind them keeps its place."""
        unused = stream.unused
        while unused and unused[-1].start < end:
            run = unused[-1]
            self.evictable -= min(run.end, end) - run.start
            if run.end > end:
                run.start = end
                return
            del self._queue[unused.pop()]

    def _cut(self, run: _Run, blocks: int) -> None:
        """Free the last blocks of a run, which are the last of their stream."""
        stream = run.stream
        assert run.end == stream.end and stream.unused[0] is run, "blocks before these would be lost"
        run.end -= blocks
        stream.end -= blocks
        self.blocks -= blocks
        self.evictable -= blocks
        if run.start == run.end:
            del stream.unused[0]
            del self._queue[run]
            self._forget(stream)
