"""A serving engine once more, from its specification alone: slow, literal, one iteration a turn.

Every KV block is an object, every token of a prompt a value, every sum is made anew in each iteration, and nothing is
skipped. The prefix cache is chains of whole blocks with a queue of unused ones, least recently used first, the blank
ones before them (vLLM's block pool since 0.24), except that equal blocks become one when they are published.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.profile import IterationCost
from evaluators.serving.request import Request

Content = tuple[Hashable, ...]  # all tokens of a text up to the end of a block


@dataclass(eq=False)
class Block:
    """Room for some tokens of KV; `content` is what others may find in it."""

    users: list[int] = field(default_factory=list)
    content: Content | None = None


class Memory:
    """All blocks of a GPU: in use, blank, or unused with content that may be found again."""

    def __init__(self, blocks: int, size: int) -> None:
        self.size = size
        self.blocks = [Block() for _ in range(blocks)]
        self.blank = list(self.blocks)
        self.unused: list[Block] = []
        self.found: dict[Content, Block] = {}
        self.evictions = 0

    @property
    def free(self) -> int:
        return len(self.blank) + len(self.unused)

    @property
    def used(self) -> int:
        return sum(bool(block.users) for block in self.blocks)

    def needed(self, tokens: int) -> int:
        return -(-tokens // self.size)

    def take(self, user: int) -> Block:
        """A block of its own; raises IndexError where there is none."""
        if self.blank:
            block = self.blank.pop()
        else:
            block = self.unused.pop(0)
            assert block.content is not None
            del self.found[block.content]
            block.content = None
            self.evictions += 1
        block.users.append(user)
        return block

    def share(self, block: Block, user: int) -> None:
        if not block.users:
            self.unused.remove(block)
        block.users.append(user)

    def give_back(self, blocks: Sequence[Block], user: int) -> None:
        """The last block of a chain goes first."""
        for block in reversed(blocks):
            block.users.remove(user)
            if not block.users:
                (self.blank if block.content is None else self.unused).append(block)

    def publish(self, block: Block, content: Content, user: int) -> Block:
        """Others find the content from now on; the block that the user has now: its own, or an older one like it."""
        older = self.found.get(content)
        if older is block:
            return block
        if older is not None:
            self.give_back([block], user)
            self.share(older, user)
            return older
        self.found[content] = block
        block.content = content
        return block

    def check(self) -> None:
        """Each block is in exactly one state, and what can be found is there."""
        assert self.used + self.free == len(self.blocks)
        assert not any(block.users for block in [*self.blank, *self.unused])
        assert all(block.content is None for block in self.blank)
        assert all(block.content == content for content, block in self.found.items())
        assert len(self.found) == sum(block.content is not None for block in self.blocks)


@dataclass(eq=False)
class Run:
    """A request on its way."""

    request: Request
    target: int  # tokens to compute before its next token can be made
    computed: int = 0
    generated: int = 0
    chunk: int = 0  # tokens that are part-way through the layers
    layers: int = 0  # that they have passed
    swapped: bool = False
    blocks: list[Block] = field(default_factory=list)
    admitted_at: float | None = None
    tokens_at: list[float] = field(default_factory=list)
    cached: int = 0  # found at the last admission
    found: int = 0  # over all admissions
    preemptions: int = 0
    recomputed: int = 0

    @property
    def id(self) -> int:
        return self.request.id

    @property
    def known(self) -> int:
        """Tokens whose text is known: prompt and answer so far."""
        return self.request.prompt_tokens + self.generated

    @property
    def decoding(self) -> bool:
        return self.computed >= self.target

    def text(self, tokens: int) -> Content:
        """The first tokens of prompt and answer, each as its place in a stream."""
        text: list[Hashable] = [(key, place) for key, length in self.request.prefix for place in range(length)]
        last, length = self.request.prefix[-1]
        text += [(last, length + place) for place in range(tokens - len(text))]
        return tuple(text[:tokens])


@dataclass(frozen=True)
class Work:
    """What a sequence does in an iteration; `layers` of a chunk are those that it passes."""

    run: Run
    tokens: int = 1
    layers: int = 0

    @property
    def is_chunk(self) -> bool:
        return self.layers > 0


@dataclass(frozen=True)
class Iteration:
    start: float
    end: float
    batch: Batch
    used: int  # blocks while it lasts


Decide = Callable[["Literal"], list[Work]]


class Literal:
    """`decide` is asked where there is a choice, or `always`; it says who works, and takes their blocks.

    There is a choice where somebody waits or prefills or was held; but not for the next `patience` iterations, which
    `decide` may set, unless somebody arrives or ends. Where the next tokens lack blocks, it is always asked.
    """

    def __init__(
        self,
        cost: IterationCost,
        blocks: int,
        size: int,
        decide: Decide,
        *,
        sharing: bool = False,
        layers: int = 1,
        block_seconds: float = 0.0,
        always: bool = False,
    ) -> None:
        self.cost, self.decide, self.sharing, self.always = cost, decide, sharing, always
        self.layers = layers
        self.block_seconds = block_seconds  # to copy a block to the host or back
        self.memory = Memory(blocks, size)
        self.clock = 0.0
        self.copied = 0  # blocks before the next iteration
        self.held = False  # whether somebody was held in the last iteration; `decide` says
        self.patience = 0.0  # iterations for which only an event is a reason to ask
        self.waiting: list[Run] = []
        self.running: list[Run] = []  # in the order of admission
        self.runs: dict[int, Run] = {}
        self.iterations: list[Iteration] = []
        self.disturbed = 0  # times that an eviction came before a preemption, or before a look-up that it changed

    def serve(self, requests: Sequence[Request]) -> None:
        """Requests in the order of arrival."""
        coming = [Run(request, request.prompt_tokens) for request in requests]
        self.runs = {run.id: run for run in coming}
        while coming or self.waiting or self.running:
            if not self.waiting and not self.running:
                self.clock = max(self.clock, coming[0].request.arrival)
            while coming and coming[0].request.arrival <= self.clock:
                self.waiting.append(coming.pop(0))
                self.patience = 0
            self.iterate()

    def iterate(self) -> None:
        decoding = [run for run in self.running if run.decoding]
        short = sum(map(self.missing, decoding)) > self.memory.free
        choice = self.waiting or len(decoding) < len(self.running) or self.held
        if self.always or short or (choice and self.patience <= 0):
            self.patience = 0
            work = self.decide(self)
        else:
            work = [self.take(Work(run)) for run in decoding]
            self.patience -= 1
            self.held = False
        assert work
        self.memory.check()
        start, batch = self.clock, self.batch(work)
        self.clock += self.copied * self.block_seconds + self.seconds(work)
        self.copied = 0
        self.iterations.append(Iteration(start, self.clock, batch, self.memory.used))
        for each in sorted(work, key=lambda each: self.running.index(each.run)):
            self.compute(each)

    # How long it takes

    def batch(self, work: Sequence[Work]) -> Batch:
        chunks = [(each.run.computed, each.tokens) for each in work if each.is_chunk]
        ending = [each for each in work if each.is_chunk and self.completes(each)]
        decodes = [each.run for each in work if not each.is_chunk]
        return Batch(
            tokens=sum(tokens for _before, tokens in chunks) + len(decodes),
            sequences=len(work),
            sampled=len(ending) + len(decodes),
            pairs=sum((before + tokens) ** 2 - before**2 for before, tokens in chunks),
            reread=sum(before for before, _tokens in chunks),
            decodes=len(decodes),
            context=sum(run.computed + 1 for run in decodes),
        )

    def completes(self, work: Work) -> bool:
        run = work.run
        return run.layers + work.layers == self.layers and run.computed + work.tokens == run.target

    def seconds(self, work: Sequence[Work]) -> float:
        """Layer after layer, each over the tokens that pass it."""
        seconds = self.cost.overhead(self.batch(work))
        for layer in range(self.layers):
            here = [w for w in work if not w.is_chunk or w.run.layers <= layer < w.run.layers + w.layers]
            if here:
                seconds += self.cost.layers(self.batch(here)) / self.layers
        return seconds

    # What a decision is made of

    def missing(self, run: Run, tokens: int = 1) -> int:
        """Blocks that a running sequence needs for so many more tokens."""
        return self.memory.needed(run.computed + tokens) - len(run.blocks)

    def take(self, work: Work) -> Work:
        for _ in range(max(self.missing(work.run, work.tokens), 0)):
            work.run.blocks.append(self.memory.take(work.run.id))
        return work

    def findable(self, run: Run) -> list[Block]:
        """The longest chain in the cache that leaves at least one token to compute."""
        found: list[Block] = []
        while self.sharing and run.request.prefix and (len(found) + 1) * self.memory.size < run.target:
            block = self.memory.found.get(run.text((len(found) + 1) * self.memory.size))
            if block is None:
                break
            found.append(block)
        return found

    def admit(self, run: Run) -> None:
        self.waiting.remove(run)
        self.running.append(run)
        run.blocks = self.findable(run)
        for block in run.blocks:
            self.memory.share(block, run.id)
        run.computed = run.cached = len(run.blocks) * self.memory.size
        run.found += run.cached
        if run.admitted_at is None:
            run.admitted_at = self.clock

    def preempt(self, run: Run, swap: bool = False) -> None:
        self.running.remove(run)
        self.waiting.insert(0, run)
        run.preemptions += 1
        run.chunk = run.layers = 0
        self.publish(run)
        if swap:
            self.copied += self.memory.needed(run.computed)
        else:
            run.recomputed += run.computed
            run.computed, run.target = 0, run.known
        run.swapped = swap
        self.memory.give_back(run.blocks, run.id)
        run.blocks = []

    def resume(self, run: Run) -> None:
        self.waiting.remove(run)
        self.running.append(run)
        run.swapped = False
        run.blocks = [self.memory.take(run.id) for _ in range(self.memory.needed(run.computed))]
        self.copied += len(run.blocks)

    # What an iteration does

    def compute(self, work: Work) -> None:
        run = work.run
        if work.is_chunk:
            run.chunk, run.layers = work.tokens, run.layers + work.layers
            if run.layers < self.layers:
                return
            run.chunk = run.layers = 0
        run.computed += work.tokens
        if run.computed < run.target:
            return
        if work.is_chunk:
            self.publish(run)
        run.generated += 1
        run.tokens_at.append(self.clock)
        if run.generated == run.request.output_tokens:
            self.running.remove(run)
            self.publish(run)
            self.memory.give_back(run.blocks, run.id)
            self.patience = 0

    def publish(self, run: Run) -> None:
        if self.sharing and run.request.prefix:
            for place in range(run.computed // self.memory.size):
                content = run.text((place + 1) * self.memory.size)
                run.blocks[place] = self.memory.publish(run.blocks[place], content, run.id)


def vllm(budget: int, sequences: int) -> Decide:
    """vLLM V1's scheduler, first come first served (`Scheduler.schedule` in vllm/v1/core/sched/scheduler.py).

    Those that run come first, in the order of admission, each with all that it still has to compute; who finds no
    block makes the one admitted last give way, in the end itself. Unless somebody had to, those that wait follow in
    order, until one does not fit.
    """

    def decide(engine: Literal) -> list[Work]:
        work: list[Work] = []
        left, preempted = budget, False
        found_before = {run.id: len(engine.findable(run)) for run in engine.waiting}
        evictions = engine.memory.evictions
        while left and len(work) < len(engine.running):
            run = engine.running[len(work)]
            tokens = 1 if run.decoding else min(run.target - run.computed, left)
            while run in engine.running and engine.missing(run, tokens) > engine.memory.free:
                engine.disturbed += engine.memory.evictions > evictions
                engine.preempt(engine.running[-1])
                preempted = True
            if run not in engine.running:
                break
            work.append(engine.take(Work(run, tokens, 0 if run.decoding else engine.layers)))
            left -= tokens
        while engine.waiting and not preempted and left and len(engine.running) < sequences:
            run = engine.waiting[0]
            found = engine.findable(run)
            engine.disturbed += len(found) != found_before[run.id]
            before = len(found) * engine.memory.size
            tokens = min(run.target - before, left)
            unused = sum(not block.users for block in found)
            if engine.memory.needed(run.target) - len(found) > engine.memory.free - unused:
                break
            engine.admit(run)
            work.append(engine.take(Work(run, tokens, engine.layers)))
            left -= tokens
        return work

    return decide
