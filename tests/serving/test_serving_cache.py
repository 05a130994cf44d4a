"""The prefix cache against a literal block pool: blocks with the tokens before them, and one free queue."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
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
