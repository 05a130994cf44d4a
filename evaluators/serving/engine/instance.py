"""One engine: a model on the GPUs of an instance, in iterations of continuous batching over a paged KV cache.

Time advances from iteration to iteration. An iteration in flight changes nothing until it ends; then its tokens appear
all at once. Where nobody has anything to decide, one flight is many iterations.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import floor, sqrt
from typing import Protocol

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.decoding import Decoding
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import DECODE, Chunk, Refused, Step
from evaluators.serving.request import Request, Segment

NEVER = float("inf")
_UNLIMITED = 1 << 40


class Scheduler(Protocol):
    """Decides what an engine does next."""

    def schedule(self, now: float, instance: Instance) -> Step:
        """What the iteration that starts now does.

        Asked where there is a choice: a sequence waits or is part-way through its prompt or was held, or the KV cache
        has no room for the next token of all.
        """


@dataclass(slots=True)
class _Flight:
    """Iterations under way: the first takes `duration`, each later one `growth` more than the one before."""

    start: float
    batch: Batch
    chunks: list[tuple[Sequence, Chunk]]
    decode: bool
    duration: float
    growth: float
    iterations: int

    def seconds(self, iterations: int) -> float:
        return iterations * (self.duration + self.growth * (iterations - 1) / 2)

    @property
    def end(self) -> float:
        return self.start + self.seconds(self.iterations)

    def ended_by(self, now: float) -> int:
        """How many of the iterations have ended at `now`."""
        if now >= self.end:
            return self.iterations
        guess = self._fraction(now - self.start)
        ended = min(max(floor(guess), 0), self.iterations)
        while ended and self.start + self.seconds(ended) > now:  # against rounding
            ended -= 1
        while ended < self.iterations and self.start + self.seconds(ended + 1) <= now:
            ended += 1
        return ended

    def _fraction(self, seconds: float) -> float:
        """The x at which x iterations take so long."""
        if self.growth <= 1e-12 * self.duration:
            return seconds / self.duration
        linear = self.duration - self.growth / 2
        return (sqrt(linear * linear + 2 * self.growth * seconds) - linear) / self.growth


class Instance:
    """An engine that serves requests.

    Attributes:
        waiting: Sequences that do not run, by id, in order of arrival; the preempted stand before the others, the one
            preempted last in front.
        running: Sequences that do, in order of their admission. They are the ones in `prefilling`, `decoding.members`
            and `held`.
        clock: When the last iteration ended, in seconds; or when the first request came after an idle time.
        wake_at: The scheduler is asked again at the first end of an iteration from then on.
    """

    def __init__(
        self, deployment: Deployment, scheduler: Scheduler, recorder: Recorder, cache: PrefixCache | None = None
    ) -> None:
        self.deployment = deployment
        self.recorder = recorder
        self.cache = cache
        self.waiting: OrderedDict[int, Sequence] = OrderedDict()
        self.running: dict[int, Sequence] = {}
        self.prefilling: dict[int, Sequence] = {}
        self.held: dict[int, Sequence] = {}
        self.decoding = Decoding(deployment.block_size, recorder.gaps)
        self.clock = 0.0
        self.wake_at = NEVER
        self.ended: list[Sequence] = []  # sequences whose last token is made, until somebody takes them
        self._scheduler = scheduler
        self._flight: _Flight | None = None
        self._attached: list[Sequence] = []
        self._used = 0  # blocks of running sequences that are not the cache's, and reserved ones
        self._reserved = 0
        self._blocked = False  # nothing can run before reserved blocks come free
        self._transfer = 0  # bytes that cross the link to the host before the next iteration

    # What a scheduler looks at

    @property
    def free_blocks(self) -> int:
        """Blocks that a running sequence can have: empty ones, and those of the cache that nobody uses."""
        cache = self.cache
        return self.deployment.kv_blocks - self._used - (cache.blocks - cache.evictable if cache else 0)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.waiting or self.running or self._attached)

    def match(self, sequence: Sequence) -> int:
        """Tokens of a waiting sequence that the prefix cache has: they need not be computed."""
        if self.cache is None or not sequence.request.prefix or sequence.swapped:
            return 0
        size = self.deployment.block_size
        return min(self.cache.match(self._prefix(sequence)), (sequence.target - 1) // size * size)

    def need(self, sequence: Sequence, tokens: int) -> int:
        """Free blocks that the next `tokens` tokens of a waiting or prefilling sequence take."""
        size = self.deployment.block_size
        if sequence.id in self.prefilling:
            return -(-(sequence.computed + tokens) // size) - -(-sequence.computed // size)
        cached = self.match(sequence)
        used = self.cache.used(self._prefix(sequence), cached, 1) if self.cache and cached else 0
        return -(-(cached + tokens) // size) - used // size

    def frees(self, sequence: Sequence) -> int:
        """Blocks that come free when a running sequence, brought up to date, is preempted."""
        size = self.deployment.block_size
        others = self.cache.used(self._prefix(sequence), sequence.shared, 2) if self.cache and sequence.shared else 0
        return -(-(sequence.computed + sequence.chunk) // size) - others // size

    # What drives it

    def submit(self, request: Request, now: float) -> Sequence:
        """A request arrives. Call `advance(now)` before.

        Raises:
            ValueError: it could never run: its prompt and answer are larger than the KV cache.
        """
        if request.prompt_tokens + request.output_tokens > self.deployment.kv_blocks * self.deployment.block_size:
            raise ValueError(f"request {request.id} is larger than the KV cache of {self.deployment.name}")
        sequence = Sequence(request)
        self.enqueue(sequence, now)
        return sequence

    def enqueue(self, sequence: Sequence, now: float) -> None:
        """A sequence waits, behind the others."""
        self._awake(now)
        self.waiting[sequence.id] = sequence
        self.interrupt(now)

    def advance(self, now: float) -> None:
        """Live through what ends at `now` or before. No iteration starts at `now` itself: more may arrive then."""
        while True:
            if self._flight is None:
                if self.clock >= now or not self._begin():
                    return
            self._land_until(now)
            if self._flight is not None:
                return

    def drain(self) -> None:
        """Live on until nothing is left to do."""
        self.advance(NEVER)

    def next_end(self) -> float:
        """When the iterations under way end, if nothing comes between; infinity if there is nothing to do."""
        if self._flight is None:
            return NEVER if self.idle or self._blocked else self.clock
        return self._flight.end

    def interrupt(self, now: float) -> None:
        """End the iterations under way with the one that runs at `now`."""
        flight = self._flight
        if flight is not None and flight.iterations > 1:
            ended = flight.ended_by(now)
            running = flight.start + flight.seconds(ended) < now or not ended
            flight.iterations = min(flight.iterations, ended + running)

    def reserve(self, blocks: int, now: float) -> bool:
        """Set blocks aside, if so many are free; the iterations under way end with the one that runs."""
        if blocks > self.free_blocks:
            return False
        self.interrupt(now)
        self._take(blocks)
        self._reserved += blocks
        return True

    def unreserve(self, blocks: int, now: float) -> None:
        """Give them back."""
        self._used -= blocks
        self._reserved -= blocks
        self._awake(now)

    def detach(self, identity: int) -> Sequence:
        """Take a running sequence out, its blocks freed; only between iterations.

        Raises:
            KeyError: no such sequence runs.
        """
        assert self._flight is None, "an iteration is under way"
        sequence = self.running[identity]
        self._stop(sequence)
        self._free(sequence)
        return sequence

    def attach(self, sequence: Sequence, now: float) -> None:
        """Take in a sequence that ran elsewhere, its KV with it. Its blocks must have been reserved: they become its.

        It runs from the next iteration on.
        """
        self._awake(now)
        self._reserved -= -(-sequence.computed // self.deployment.block_size)
        self._attached.append(sequence)
        self.interrupt(now)

    # An iteration

    def _awake(self, now: float) -> None:
        """What happens now may be something to do."""
        if self.idle or self._blocked:
            self.clock = max(self.clock, now)
            self._blocked = False

    def _begin(self) -> bool:
        """Start the next iteration, if there is one. Raises `Refused`."""
        if self.idle or self._blocked:
            return False
        for sequence in self._attached:
            self.running[sequence.id] = sequence
            self._run_on(sequence)
        for sequence in self.held.values():
            self.decoding.join(sequence)
        must_ask = bool(self.waiting or self.prefilling or self.held or self.clock >= self.wake_at)
        self._attached.clear()
        self.held.clear()
        if must_ask or self.decoding.blocks(1) > self.free_blocks:
            self.wake_at = NEVER
            step = self._scheduler.schedule(self.clock, self)
        else:
            step = DECODE
        self._flight = self._apply(step)
        return self._flight is not None

    def _apply(self, step: Step) -> _Flight | None:
        for identity in step.preempt:
            self._preempt(identity, step.swap)
        for identity in step.resume:
            self._resume(identity)
        for identity in step.hold:
            self._hold(identity)
        decodes = len(self.decoding) if step.decode else 0
        if decodes:
            self._take(self.decoding.blocks(1))
        chunks = [(self._admit(chunk), chunk) for chunk in step.chunks]
        batch = self._batch(chunks, decodes)
        if not batch.tokens and self._reserved:
            self._blocked = True
            return None
        self._check(batch, step)
        transfer = self._transfer / self.deployment.host_bytes_per_second
        self._transfer = 0
        duration = transfer + self._duration(batch, chunks, decodes)
        simple = not (chunks or step.hold or transfer) and decodes
        growth = decodes * self.deployment.cost.context_slope(decodes) if simple else 0.0
        flight = _Flight(self.clock, batch, chunks, bool(decodes), duration, growth, 1)
        if simple:
            flight.iterations = self._stretch(flight, step.iterations)
        return flight

    def _check(self, batch: Batch, step: Step) -> None:
        limits = self.deployment
        if not batch.tokens:
            what = f"{len(self.waiting)} requests wait and {len(self.running)} run, but the step computes nothing"
            raise Refused(f"{what}: the clock would stand still")
        if batch.tokens > limits.max_batch_tokens:
            raise Refused(f"the step has {batch.tokens} tokens, over the budget of {limits.max_batch_tokens}")
        if len(self.running) > limits.max_sequences:
            raise Refused(f"{len(self.running)} requests would run, {limits.max_sequences} are allowed")
        identities = [chunk.id for chunk in step.chunks]
        if len(set(identities)) < len(identities):
            raise Refused("a request has two chunks in one step")

    def _batch(self, chunks: list[tuple[Sequence, Chunk]], decodes: int) -> Batch:
        batch = Batch(decodes, decodes, decodes, 0, 0, decodes, self.decoding.context + decodes if decodes else 0)
        for sequence, (_, tokens, _) in chunks:
            before = sequence.computed
            batch.tokens += tokens
            batch.sequences += 1
            batch.sampled += before + tokens == sequence.target
            batch.pairs += tokens * (tokens + 2 * before)
            batch.reread += before
        return batch

    def _duration(self, batch: Batch, chunks: list[tuple[Sequence, Chunk]], decodes: int) -> float:
        cost = self.deployment.cost
        if all(chunk.layers is None for _, chunk in chunks):
            return cost.overhead(batch) + cost.layers(batch)
        return cost.overhead(batch) + self._by_layer(chunks, decodes)

    def _by_layer(self, chunks: list[tuple[Sequence, Chunk]], decodes: int) -> float:
        """Seconds in the layers where chunks pass different ones: each stretch of layers has a batch of its own."""
        total = self.deployment.layers
        spans = [(sequence.layers, sequence.layers + self._passes(sequence, chunk)) for sequence, chunk in chunks]
        cuts = sorted({0, total, *(cut for span in spans for cut in span)})
        seconds = 0.0
        for low, high in zip(cuts, cuts[1:], strict=False):
            inside = [each for each, (start, end) in zip(chunks, spans, strict=True) if start <= low and high <= end]
            batch = self._batch(inside, decodes)
            if batch.tokens:
                seconds += (high - low) / total * self.deployment.cost.layers(batch)
        return seconds

    def _passes(self, sequence: Sequence, chunk: Chunk) -> int:
        """How many layers the chunk passes in this iteration."""
        left = self.deployment.layers - sequence.layers
        return left if chunk.layers is None else chunk.layers

    def _stretch(self, flight: _Flight, at_most: int) -> int:
        """For how many iterations nothing changes but the tokens."""
        iterations = min(self.decoding.epochs_to_end(), at_most or _UNLIMITED)
        if iterations > 1:
            free = self.free_blocks + self.decoding.blocks(1)  # of the first iteration, taken already
            iterations = self.decoding.epochs_within(free, iterations)
        if self.wake_at < NEVER:
            iterations = min(iterations, flight.ended_by(self.wake_at) + 1)
        return iterations

    def _land_until(self, now: float) -> None:
        flight = self._flight
        assert flight is not None
        ended = flight.ended_by(now)
        if ended:
            self._land(flight, ended)

    def _land(self, flight: _Flight, iterations: int) -> None:
        """So many of the iterations have ended; the rest of them goes on."""
        seconds = flight.seconds(iterations)
        first_end, self.clock = flight.start + flight.duration, flight.start + seconds
        last = flight.duration + (iterations - 1) * flight.growth
        before = self._used
        if flight.decode:
            more = self.decoding.blocks(iterations) - self.decoding.blocks(1)
            if more:
                self._take(more)
            self.decoding.run(iterations, first_end, self.clock, last)
        tokens = iterations * flight.batch.decodes
        blocks = (before + self._used) / 2
        for sequence, chunk in flight.chunks:
            tokens += self._land_chunk(sequence, chunk)
        joules = self.deployment.power.watts(flight.batch) * seconds
        self.recorder.ran(iterations, tokens, seconds, joules, blocks)
        if flight.decode:
            for sequence in self.decoding.ended():
                self._end(sequence)
        rest = flight.iterations - iterations
        if not rest:
            self._flight = None
            return
        flight.start, flight.iterations = self.clock, rest
        flight.duration += iterations * flight.growth
        self._take(self.decoding.blocks(1))

    # A sequence

    def _land_chunk(self, sequence: Sequence, chunk: Chunk) -> int:
        """A chunk has passed its layers; how many tokens have now passed all."""
        sequence.layers += self._passes(sequence, chunk)
        if sequence.layers < self.deployment.layers:
            sequence.chunk = chunk.tokens
            return 0
        sequence.layers = sequence.chunk = 0
        sequence.computed += chunk.tokens
        if sequence.computed == sequence.target:
            self._first_token(sequence)
        return chunk.tokens

    def _first_token(self, sequence: Sequence) -> None:
        """A prefill is complete and has made a token."""
        if sequence.generated:
            gap = self.clock - sequence.last_token_at
            sequence.largest_gap = max(sequence.largest_gap, gap)
            self.recorder.gaps.add(gap)
        else:
            sequence.first_token_at = self.clock
        sequence.generated += 1
        sequence.last_token_at = self.clock
        del self.prefilling[sequence.id]
        self._share(sequence)
        if sequence.generated == sequence.request.output_tokens:
            self._end(sequence)
        else:
            self.decoding.join(sequence)

    def _admit(self, chunk: Chunk) -> Sequence:
        """The sequence of a chunk, its blocks taken."""
        sequence = self.prefilling.get(chunk.id)
        if sequence is None:
            sequence = self.waiting.get(chunk.id)
            if sequence is None:
                raise Refused(f"prefill of request {chunk.id}: {self._state(chunk.id)}")
            if sequence.swapped:
                raise Refused(f"prefill of request {chunk.id}: its KV was swapped out and has to be resumed")
            self._start(sequence)
        self._check_chunk(sequence, chunk)
        if not sequence.layers:
            size = self.deployment.block_size
            self._take(-(-(sequence.computed + chunk.tokens) // size) - -(-sequence.computed // size))
        return sequence

    def _check_chunk(self, sequence: Sequence, chunk: Chunk) -> None:
        if not 1 <= chunk.tokens <= sequence.remaining:
            raise Refused(
                f"prefill of request {chunk.id}: {chunk.tokens} tokens, of which {sequence.remaining} are left to compute"
            )
        if sequence.chunk and chunk.tokens != sequence.chunk:
            raise Refused(f"prefill of request {chunk.id}: {sequence.chunk} tokens are part-way through the layers")
        left = self.deployment.layers - sequence.layers
        if chunk.layers is not None and not 1 <= chunk.layers <= left:
            raise Refused(f"prefill of request {chunk.id}: {chunk.layers} layers, of which {left} are left to pass")

    def _start(self, sequence: Sequence) -> None:
        """A waiting sequence runs: it prefills behind what the prefix cache has of it."""
        cached = self.match(sequence)
        if cached and self.cache is not None:
            self.cache.hold(self._prefix(sequence), cached)
        sequence.computed = sequence.shared = cached
        sequence.cached += cached
        if sequence.admitted_at != sequence.admitted_at:  # not a number: for the first time
            sequence.admitted_at = self.clock
        del self.waiting[sequence.id]
        self.running[sequence.id] = self.prefilling[sequence.id] = sequence

    def _run_on(self, sequence: Sequence) -> None:
        """A running sequence goes on where it was when it stopped."""
        if sequence.generated and sequence.computed >= sequence.target:
            self.decoding.join(sequence)
        else:
            self.prefilling[sequence.id] = sequence

    def _resume(self, identity: int) -> None:
        sequence = self.waiting.get(identity)
        if sequence is None or not sequence.swapped:
            raise Refused(f"resuming request {identity}: its KV was not swapped out")
        blocks = -(-sequence.computed // self.deployment.block_size)
        self._take(blocks)
        self._copy(blocks)
        sequence.swapped = False
        del self.waiting[identity]
        self.running[identity] = sequence
        self._run_on(sequence)

    def _hold(self, identity: int) -> None:
        sequence = self.decoding.members.get(identity)
        if sequence is None:
            raise Refused(f"holding request {identity}: it does not decode")
        self.decoding.leave(sequence)
        self.held[identity] = sequence

    def _preempt(self, identity: int, swap: bool) -> None:
        sequence = self.running.get(identity)
        if sequence is None:
            raise Refused(f"preempting request {identity}: {self._state(identity)}")
        self._stop(sequence)
        sequence.preemptions += 1
        if swap:
            self._copy(-(-sequence.computed // self.deployment.block_size))
        self._share(sequence)
        self._free(sequence)
        sequence.swapped = swap
        if not swap:
            sequence.recomputed += sequence.computed
            sequence.target = sequence.request.prompt_tokens + sequence.generated
            sequence.computed = 0
        self.waiting[identity] = sequence
        self.waiting.move_to_end(identity, last=False)

    def _end(self, sequence: Sequence) -> None:
        del self.running[sequence.id]
        self._share(sequence)
        self._free(sequence)
        self.recorder.finish(sequence, self.clock)
        self.ended.append(sequence)

    def _stop(self, sequence: Sequence) -> None:
        """A sequence runs no more; what was part-way through the layers is lost."""
        identity = sequence.id
        del self.running[identity]
        if identity in self.prefilling:
            del self.prefilling[identity]
            if sequence.chunk:
                size = self.deployment.block_size
                self._used -= -(-(sequence.computed + sequence.chunk) // size) - -(-sequence.computed // size)
            sequence.chunk = sequence.layers = 0
        elif identity in self.held:
            del self.held[identity]
        else:
            self.decoding.leave(sequence)

    # Blocks

    def _take(self, blocks: int) -> None:
        """Raises `Refused` where there are not so many."""
        missing = blocks - self.deployment.kv_blocks + self._used + (self.cache.blocks if self.cache else 0)
        if missing > 0:
            evictable = self.cache.evictable if self.cache else 0
            if missing > evictable or self.cache is None:
                free = blocks - missing + evictable
                raise Refused(f"the step needs {blocks} more KV blocks, {free} are free")
            self.cache.evict(missing)
        self._used += blocks

    def _share(self, sequence: Sequence) -> None:
        """Hand the full blocks that others may look for over to the prefix cache."""
        if self.cache is None or not sequence.request.prefix:
            return
        size = self.deployment.block_size
        whole = sequence.computed // size * size
        if whole > sequence.shared:
            self.cache.extend(self._prefix(sequence), whole, self.clock)
            self._used -= (whole - sequence.shared) // size
            sequence.shared = whole

    def _free(self, sequence: Sequence) -> None:
        """Give a sequence's blocks back, those of the cache to the cache."""
        self._used -= (
            -(-sequence.computed // self.deployment.block_size) - sequence.shared // self.deployment.block_size
        )
        if sequence.shared and self.cache is not None:
            self.cache.release(self._prefix(sequence), sequence.shared, self.clock)
            sequence.shared = 0

    def _prefix(self, sequence: Sequence) -> tuple[Segment, ...]:
        """The streams of a sequence's context: its last one goes on with what it generated."""
        *before, last = sequence.request.prefix
        return (*before, Segment(last.key, last.tokens + sequence.generated))

    def _copy(self, blocks: int) -> None:
        self._transfer += blocks * self.deployment.block_size * self.deployment.kv_token_bytes

    def _state(self, identity: int) -> str:
        if identity in self.waiting:
            return "it waits"
        return "it has its prompt computed" if identity in self.running else "no such request is here"
