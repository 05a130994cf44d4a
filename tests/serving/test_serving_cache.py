"""The prefix cache against a literal block pool: blocks with the tokens before them, and one free queue."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.request import Segment

Token = tuple[int, int]  # stream, place in it
Prefix = tuple[Segment, ...]
LONGEST = 40  # tokens: no stream here is longer


@dataclass(eq=False)
class Block:
    """A physical block; `content` is all tokens up to its end once it is full, computed and the first of its kind."""

    content: tuple[Token, ...] = ()
    users: int = 0


class Pool:
    """vLLM's block pool (docs.vllm.ai/en/latest/design/prefix_caching), except that blank blocks are taken first."""

    def __init__(self, capacity: int, size: int) -> None:
        self.size = size
        self.blank = [Block() for _ in range(capacity)]
        self.free: list[Block] = []  # with content, least recently used first
        self.known: dict[tuple[Token, ...], Block] = {}
        self.evicted: list[tuple[Token, ...]] = []

    def found(self, prefix: Prefix) -> list[Block]:
        blocks = []
        for content in self.contents(prefix):
            if content not in self.known:
                break
            blocks.append(self.known[content])
        return blocks

    def contents(self, prefix: Prefix) -> list[tuple[Token, ...]]:
        tokens = tuple((segment.key, place) for segment in prefix for place in range(segment.tokens))
        return [tokens[:end] for end in range(self.size, len(tokens) + 1, self.size)]

    def allocate(self, count: int) -> list[Block]:
        taken = []
        for _ in range(count):
            if self.blank:
                block = self.blank.pop()
            else:
                block = self.free.pop(0)
                self.evicted.append(block.content)
                del self.known[block.content]
                block.content = ()
            block.users = 1
            taken.append(block)
        return taken

    def touch(self, blocks: list[Block]) -> None:
        for block in blocks:
            block.users += 1
            if block in self.free:
                self.free.remove(block)

    def give_back(self, blocks: list[Block]) -> None:
        for block in reversed(blocks):
            block.users -= 1
            if not block.users:
                (self.free if block.content else self.blank).append(block)

    def publish(self, prefix: Prefix, blocks: list[Block], done: int) -> None:
        """Blocks `done` and later are full: known from now on, or given up for the one that is known."""
        for place, content in list(enumerate(self.contents(prefix)))[done : len(blocks)]:
            if content in self.known:
                self.give_back([blocks[place]])
                blocks[place] = self.known[content]
                self.touch([blocks[place]])
            else:
                self.known[content] = blocks[place]
                blocks[place].content = content

    def forget(self, block: Block) -> None:
        self.free.remove(block)
        del self.known[block.content]
        block.content = ()
        self.blank.append(block)


@dataclass
class Sequence:
    """A sequence in both worlds, blocks [0, shared) of which are the cache's."""

    prefix: Prefix
    blocks: list[Block]
    shared: int


@dataclass
class Twins:
    """The literal pool and the cache under test, moved in step."""

    capacity: int
    size: int
    pool: Pool = field(init=False)
    cache: PrefixCache = field(init=False)
    running: list[Sequence] = field(default_factory=list)
    pinned: dict[int, tuple[float, list[Block]]] = field(default_factory=dict)
    own: int = 0  # blocks of running sequences that are not the cache's
    now: float = 0.0

    def __post_init__(self) -> None:
        self.pool = Pool(self.capacity, self.size)
        self.cache = PrefixCache(self.size)

    def admit(self, prefix: Prefix) -> int:
        """Tokens found; -1 if there is no room."""
        found = self.pool.found(prefix)
        hits = self.cache.match(prefix)
        assert hits == len(found) * self.size
        in_use = sum(block.users > 0 for block in found)
        assert self.cache.used(prefix, hits) == in_use * self.size
        missing = -(-sum(segment.tokens for segment in prefix) // self.size) - len(found)
        if missing > len(self.pool.blank) + len(self.pool.free) - (len(found) - in_use):
            return -1
        self.pool.touch(found)
        self.cache.hold(prefix, hits)
        self.make_room(missing)
        self.running.append(Sequence(prefix, found + self.pool.allocate(missing), len(found)))
        return hits

    def make_room(self, blocks: int) -> None:
        wanted = blocks - (self.capacity - self.own - self.cache.blocks)
        if wanted > 0:
            assert self.cache.evict(wanted) == wanted
        self.own += blocks

    def publish(self, sequence: Sequence, blocks: int) -> None:
        """The first so many blocks are full and computed."""
        if blocks <= sequence.shared:
            return
        held = sequence.blocks[:blocks]
        before = len(self.pool.known)
        self.pool.publish(sequence.prefix, held, sequence.shared)
        sequence.blocks[:blocks] = held
        size = self.size
        added = self.cache.extend(sequence.prefix, sequence.shared * size, blocks * size)
        assert added == len(self.pool.known) - before
        self.own -= blocks - sequence.shared
        sequence.shared = blocks

    def end(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self.pool.give_back(sequence.blocks)
        self.cache.release(sequence.prefix, sequence.shared * self.size)
        self.own -= len(sequence.blocks) - sequence.shared

    def pin(self, prefix: Prefix, until: float) -> None:
        key = prefix[-1].key
        if self.cache.cached(key):
            found = self.pool.found((*prefix[:-1], Segment(key, LONGEST)))
            self.unpin(key)
            self.pool.touch(found)
            self.pinned[key] = until, found
            self.cache.pin(key)

    def unpin(self, key: int) -> None:
        if key in self.pinned:
            self.pool.give_back(self.pinned.pop(key)[1])
            self.cache.unpin(key)

    def expire(self) -> None:
        for key in sorted(self.pinned, key=lambda key: self.pinned[key][0]):
            if self.pinned[key][0] <= self.now:
                self.unpin(key)

    def check(self, prefixes: list[Prefix]) -> None:
        pool, cache = self.pool, self.cache
        assert cache.blocks == len(pool.known)
        assert cache.evictable == len(pool.free)
        assert cache.evicted == len(pool.evicted)
        assert list(cache.pins) == list(self.pinned)
        assert self.own + cache.blocks + len(pool.blank) == self.capacity
        for prefix in prefixes:
            assert cache.match(prefix) == len(pool.found(prefix)) * self.size


def prompts(rng: np.random.Generator) -> list[Prefix]:
    """Chains of streams: system prompts of any length, sessions behind them, and agents behind some sessions."""
    systems = [int(rng.integers(0, 11)) for _ in range(2)]
    found: list[Prefix] = []
    for session in range(4):
        system = int(rng.integers(0, 2))
        head = (Segment(100 + system, systems[system]),) if systems[system] else ()
        whole = int(rng.integers(1, 9))
        for _ in range(3):
            found.append((*head, Segment(session, int(rng.integers(1, whole + 1)))))
            agent = Segment(10 + session, int(rng.integers(1, 9)))
            found.append((*head, Segment(session, whole), agent))
    found += [(Segment(100, length),) for length in (1, systems[0]) if length]
    return found


@settings(deadline=None, max_examples=60, derandomize=True)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 4), capacity=st.integers(12, 40))
def test_random_operations_hit_and_evict_as_a_literal_pool(seed: int, size: int, capacity: int) -> None:
    rng = np.random.default_rng(seed)
    twins, all_prompts = Twins(capacity, size), prompts(rng)
    for _ in range(120):
        twins.now += float(rng.integers(0, 3))
        twins.expire()
        prefix = all_prompts[rng.integers(len(all_prompts))]
        action = rng.random()
        if action < 0.4 and len(twins.running) < 5:
            twins.admit(prefix)
        elif action < 0.65 and twins.running:
            sequence = twins.running[rng.integers(len(twins.running))]
            whole = sum(segment.tokens for segment in sequence.prefix) // size
            twins.publish(sequence, int(rng.integers(0, whole + 1)))
        elif action < 0.9 and twins.running:
            twins.end(twins.running[rng.integers(len(twins.running))])
        else:
            twins.pin(prefix, twins.now + float(rng.integers(1, 20)))
        twins.check(all_prompts)


def cached(streams: list[Prefix], block_size: int = 4) -> PrefixCache:
    """Full blocks of these prompts, nobody uses them any more."""
    cache = PrefixCache(block_size)
    for prefix in streams:
        tokens = sum(segment.tokens for segment in prefix) // block_size * block_size
        hits = cache.match(prefix)
        cache.hold(prefix, hits)
        cache.extend(prefix, hits, tokens)
        cache.release(prefix, tokens)
    return cache


def test_a_block_that_two_streams_share_is_found_only_with_the_second() -> None:
    """A system prompt of 10 tokens in blocks of 4: its last 2 lie in a block with the session's first 2."""
    cache = cached([(Segment(9, 10), Segment(1, 6))])
    assert cache.match((Segment(9, 10), Segment(1, 6))) == 16
    assert cache.match((Segment(9, 10), Segment(1, 5))) == 12
    assert cache.match((Segment(9, 10), Segment(1, 1))) == 8
    assert cache.match((Segment(9, 10), Segment(2, 6))) == 8
    assert cache.match((Segment(9, 7),)) == 4
    assert (cache.cached(9), cache.cached(1), cache.blocks) == (2, 2, 4)


def test_the_end_of_a_session_goes_before_its_beginning_and_shared_blocks_last() -> None:
    prompts: list[Prefix] = [(Segment(9, 8), Segment(session, 8)) for session in (1, 2)]
    cache = cached(prompts)
    left = []
    while cache.evict(1):
        left.append([cache.match(prefix) for prefix in prompts])
    assert left == [[12, 16], [8, 16], [8, 12], [8, 8], [4, 4], [0, 0]]
    assert cache.blocks == cache.evictable == 0


def test_discarding_spares_what_others_use_or_build_on() -> None:
    one, two = (Segment(9, 8), Segment(1, 8)), (Segment(9, 8), Segment(2, 8))
    cache = cached([one, two])
    assert cache.discard(9) == 0
    cache.hold(two, 12)
    cache.pin(2)
    assert (cache.discard(1), cache.discard(2), cache.discard(3)) == (2, 1, 0)
    assert (cache.match(one), cache.match(two)) == (8, 12)
    cache.release(two, 12)
    assert (cache.discard(2), cache.discard(9), cache.blocks) == (1, 2, 0)


def test_refuses_what_cannot_be() -> None:
    cache = cached([(Segment(9, 8), Segment(1, 8))])
    with pytest.raises(ValueError, match="12 tokens are to be held, 8 are cached"):
        cache.hold((Segment(9, 8), Segment(2, 8)), 12)
    with pytest.raises(ValueError, match="stream 1 has stood behind other streams, or longer ones, before"):
        cache.extend((Segment(9, 4), Segment(1, 8)), 0, 12)
    with pytest.raises(ValueError, match="16 tokens are to be cached, the prefix has 12"):
        cache.extend((Segment(8, 12),), 0, 16)
