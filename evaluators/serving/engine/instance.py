"""One engine: a model on the GPUs of an instance, in iterations of continuous batching over a paged KV cache.

Time advances from iteration to iteration. An iteration under way changes nothing until it ends; then its tokens appear
all at once. Where nobody has anything to decide, one flight is many iterations.
"""

from __future__ import annotations

from collections import OrderedDict

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.blocks import Blocks, blocks_of
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.decoding import Decoding
from evaluators.serving.engine.flight import Flight
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.scheduler import Scheduler
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import DECODE, Chunk, Refused, Step
from evaluators.serving.engine.timing import batch_of, duration, mean_watts, parts_of, passes
from evaluators.serving.request import Request

NEVER = float("inf")
_UNLIMITED = 1 << 40


class Instance:
    """An engine that serves requests.

    Attributes:
        kv: The blocks of its KV cache.
        waiting: Sequences that do not run, by id, in order of arrival; the preempted stand before the others, the one
            preempted last in front.
        running: Sequences that do, in order of their admission. Each is in `prefilling`, `decoding.members` or `held`.
        ended: Sequences whose last token is made, until somebody takes them.
        clock: When the last iteration ended, in seconds; or when the first request came after an idle time.
        wake_at: The scheduler is asked again when an iteration ends from then on.
    """

    def __init__(
        self, deployment: Deployment, scheduler: Scheduler, recorder: Recorder, cache: PrefixCache | None = None
    ) -> None:
        self.deployment = deployment
        self.recorder = recorder
        self.kv = Blocks(deployment.kv_blocks, deployment.block_size, cache)
        self.waiting: OrderedDict[int, Sequence] = OrderedDict()
        self.running: dict[int, Sequence] = {}
        self.prefilling: dict[int, Sequence] = {}
        self.held: dict[int, Sequence] = {}
        self.decoding = Decoding(deployment.block_size, recorder.gaps)
        self.ended: list[Sequence] = []
        self.clock = 0.0
        self.wake_at = NEVER
        self._scheduler = scheduler
        self._flight: Flight | None = None
        self._attached: list[Sequence] = []
        self._blocked = False  # nothing runs until something happens
        self._transfer = 0  # bytes that cross the link to the host before the next iteration

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.waiting or self.running or self._attached)

    def next_end(self) -> float:
        """When the iterations under way end, if nothing comes between; infinity if there is nothing to do."""
        if self._flight is not None:
            return self._flight.end
        return NEVER if self.idle or self._blocked else self.clock

    # Time

    def advance(self, now: float) -> None:
        """Live through what ends at `now` or before. No iteration starts at `now` itself: more may arrive then.

        Raises:
            Refused: a step of the scheduler that cannot be done.
        """
        while self._flight is not None or (self.clock < now and self._begin()):
            flight = self._flight
            assert flight is not None
            ended = flight.ended_by(now)
            if ended:
                self._land(flight, ended)
            if self._flight is not None:
                return

    def start(self) -> None:
        """Start the next iteration, if none is under way and there is something to do. Raises `Refused`."""
        if self._flight is None:
            self._begin()

    def drain(self) -> None:
        """Live on until nothing is left to do. Raises `Refused`."""
        self.advance(NEVER)

    def interrupt(self, now: float) -> None:
        """The iterations under way end with the one that runs at `now`, or with the one that has just ended."""
        flight = self._flight
        if flight is not None and flight.landed and flight.start == now:
            self.kv.give_back(self.decoding.blocks(1))
            self._flight = None
        elif flight is not None:
            flight.cut(now)

    # What comes and goes; call `advance(now)` before

    def submit(self, request: Request, now: float) -> Sequence:
        """A request arrives.

        Raises:
            ValueError: it could never run: its prompt and answer are larger than the KV cache.
        """
        if request.prompt_tokens + request.output_tokens > self.kv.total * self.kv.block_size:
            raise ValueError(f"request {request.id} is larger than the KV cache of {self.deployment.name}")
        sequence = Sequence(request)
        self.enqueue(sequence, now)
        return sequence

    def enqueue(self, sequence: Sequence, now: float) -> None:
        """A sequence waits, behind the others."""
        self.wake(now)
        self.waiting[sequence.id] = sequence
        self.interrupt(now)

    def reserve(self, blocks: int, now: float) -> bool:
        """Set blocks aside, if so many are free."""
        if blocks > self.kv.free:
            return False
        self.interrupt(now)
        self.kv.reserve(blocks)
        return True

    def unreserve(self, blocks: int, now: float) -> None:
        """Give them back."""
        self.kv.unreserve(blocks)
        self.wake(now)

    def detach(self, identity: int) -> Sequence:
        """Take a running sequence out, its blocks freed. Only between iterations: see `interrupt`.

        Raises:
            KeyError: no such sequence runs.
        """
        assert self._flight is None, "an iteration is under way"
        sequence = self.running[identity]
        self._stop(sequence)
        self.kv.share(sequence)
        self.kv.release(sequence)
        sequence.chunk = sequence.layers = 0
        return sequence

    def attach(self, sequence: Sequence, now: float) -> None:
        """Take in a sequence that ran elsewhere with its KV, whose blocks have been reserved; it runs on from now."""
        self.wake(now)
        self.kv.adopt(sequence)
        self._attached.append(sequence)
        self.interrupt(now)

    def wake(self, now: float) -> None:
        """What happens now may be something to do."""
        if self.idle or self._blocked:
            self.clock = max(self.clock, now)
            self._blocked = False

    # An iteration starts

    def _begin(self) -> bool:
        """Start the next iteration, if there is one."""
        if self.idle or self._blocked:
            return False
        for sequence in self._attached:
            self.running[sequence.id] = sequence
            self._run_on(sequence)
        for sequence in self.held.values():
            self.decoding.join(sequence)
        must_ask = bool(self.waiting or self.prefilling or self.held) or self.clock >= self.wake_at
        self._attached.clear()
        self.held.clear()
        if must_ask or self.decoding.blocks(1) > self.kv.free:
            self.wake_at = NEVER
            self._flight = self._apply(self._scheduler.schedule(self.clock, self))
        else:
            self._flight = self._apply(DECODE)
        return self._flight is not None

    def _apply(self, step: Step) -> Flight | None:
        """The flight that does the step; None if it does nothing, for blocks are set aside or it says so."""
        for identity in step.preempt:
            self._preempt(identity, step.swap)
        for identity in step.resume:
            self._resume(identity)
        for identity in step.hold:
            self._hold(identity)
        decodes = len(self.decoding) if step.decode else 0
        if decodes:
            self.kv.take(self.decoding.blocks(1))
        chunks = [(self._admit(chunk), chunk) for chunk in step.chunks]
        context = self.decoding.context
        batch = batch_of(chunks, decodes, context, self.deployment.layers)
        if not batch.tokens and (self.kv.reserved or step.idle):
            self._blocked = True
            return None
        self._check(batch, step)
        transfer = self._transfer / self.deployment.host_bytes_per_second
        self._transfer = 0
        parts = parts_of(batch, chunks, self.deployment.layers, context)
        seconds = duration(self.deployment.cost, batch, parts)
        flight = Flight(self.clock, batch, parts, chunks, transfer + seconds)
        if decodes and not (chunks or step.hold or transfer):
            flight.growth = decodes * self.deployment.cost.context_slope(decodes)
            flight.iterations = self._stretch(flight, step.iterations or _UNLIMITED)
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
        if len({chunk.id for chunk in step.chunks}) < len(step.chunks):
            raise Refused("a request has two chunks in one step")

    def _stretch(self, flight: Flight, at_most: int) -> int:
        """For how many iterations nothing changes but the tokens."""
        iterations = min(self.decoding.epochs_to_end(), at_most)
        if iterations > 1:
            free = self.kv.free + self.decoding.blocks(1)  # those of the first iteration are taken
            iterations = self.decoding.epochs_within(free, iterations)
        if self.wake_at < NEVER:
            flight.iterations = iterations
            iterations = min(iterations, flight.ended_by(self.wake_at) + 1)
        return iterations

    # An iteration ends

    def _land(self, flight: Flight, iterations: int) -> None:
        """So many of the iterations have ended; the others go on."""
        seconds = flight.seconds(iterations)
        first_end, self.clock = flight.start + flight.duration, flight.start + seconds
        blocks, tokens = self.kv.in_use, iterations * flight.batch.decodes
        if flight.batch.decodes:
            self.kv.take(self.decoding.blocks(iterations) - self.decoding.blocks(1))
            self.decoding.run(iterations, first_end, self.clock, flight.duration + (iterations - 1) * flight.growth)
        joules = mean_watts(self.deployment.power, self.deployment.cost, flight.parts) * seconds
        mean_blocks = (blocks + self.kv.in_use) / 2
        for sequence, chunk in flight.chunks:
            tokens += self._land_chunk(sequence, chunk)
        self.recorder.ran(iterations, tokens, seconds, joules, mean_blocks)
        self.recorder.passed(iterations, flight.parts)
        ended = [each for each, _ in flight.chunks if each.generated == each.request.output_tokens]
        self._end([*ended, *self.decoding.ended()])
        if iterations == flight.iterations:
            self._flight = None
        else:
            flight.go_on(self.clock, iterations)
            self.kv.take(self.decoding.blocks(1))

    def _land_chunk(self, sequence: Sequence, chunk: Chunk) -> int:
        """A chunk has passed its layers; how many tokens have now passed all."""
        sequence.layers += passes(sequence, chunk, self.deployment.layers)
        if sequence.layers < self.deployment.layers:
            sequence.chunk = chunk.tokens
            return 0
        sequence.layers = sequence.chunk = 0
        sequence.computed += chunk.tokens
        if sequence.computed == sequence.target:
            self._prefilled(sequence)
        return chunk.tokens

    def _prefilled(self, sequence: Sequence) -> None:
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
        self.kv.share(sequence)
        if sequence.generated < sequence.request.output_tokens:
            self.decoding.join(sequence)

    def _end(self, sequences: list[Sequence]) -> None:
        """These have made their last tokens. As in vLLM, they give their blocks back in order of admission."""
        if len(sequences) > 1:
            place = {identity: place for place, identity in enumerate(self.running)}
            sequences.sort(key=lambda sequence: place[sequence.id])
        for sequence in sequences:
            del self.running[sequence.id]
            self.kv.share(sequence)
            self.kv.release(sequence)
            self.recorder.finish(sequence, self.clock)
            self.ended.append(sequence)

    # What a step does to a sequence

    def _admit(self, chunk: Chunk) -> Sequence:
        """The sequence of a chunk, its blocks taken."""
        sequence = self.prefilling.get(chunk.id)
        if sequence is None:
            sequence = self._start(chunk.id)
        if not 1 <= chunk.tokens <= sequence.remaining:
            given = f"prefill of request {chunk.id}: {chunk.tokens} tokens"
            raise Refused(f"{given}, of which {sequence.remaining} are left to compute")
        if sequence.chunk and chunk.tokens != sequence.chunk:
            raise Refused(f"prefill of request {chunk.id}: {sequence.chunk} tokens are part-way through the layers")
        left = self.deployment.layers - sequence.layers
        if chunk.layers is not None and not 1 <= chunk.layers <= left:
            raise Refused(f"prefill of request {chunk.id}: {chunk.layers} layers, of which {left} are left to pass")
        if not sequence.layers:
            self.kv.grow(sequence, chunk.tokens)
        return sequence

    def _start(self, identity: int) -> Sequence:
        """A waiting sequence runs: it prefills behind what the prefix cache has of it."""
        sequence = self.waiting.pop(identity, None)
        if sequence is None:
            raise Refused(f"prefill of request {identity}: {self._state(identity)}")
        if sequence.swapped:
            raise Refused(f"prefill of request {identity}: its KV was swapped out and has to be resumed")
        self.kv.hold(sequence)
        if sequence.admitted_at != sequence.admitted_at:  # not a number yet
            sequence.admitted_at = self.clock
        self.running[identity] = self.prefilling[identity] = sequence
        return sequence

    def _resume(self, identity: int) -> None:
        sequence = self.waiting.get(identity)
        if sequence is None or not sequence.swapped:
            raise Refused(f"resuming request {identity}: its KV was not swapped out")
        self.kv.take(self._copy(sequence))
        sequence.swapped = False
        del self.waiting[identity]
        self.running[identity] = sequence
        self._run_on(sequence)

    def _run_on(self, sequence: Sequence) -> None:
        """A running sequence goes on where it was when it stopped."""
        if sequence.generated and not sequence.remaining > 0:
            self.decoding.join(sequence)
        else:
            self.prefilling[sequence.id] = sequence

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
            self._copy(sequence)
        self.kv.share(sequence)
        self.kv.release(sequence)
        sequence.chunk = sequence.layers = 0
        sequence.swapped = swap
        if not swap:
            sequence.recomputed += sequence.computed
            sequence.target = sequence.request.prompt_tokens + sequence.generated
            sequence.computed = 0
        self.waiting[identity] = sequence
        self.waiting.move_to_end(identity, last=False)

    def _stop(self, sequence: Sequence) -> None:
        """A sequence runs no more; it still has its blocks."""
        del self.running[sequence.id]
        if self.prefilling.pop(sequence.id, None) is None and self.held.pop(sequence.id, None) is None:
            self.decoding.leave(sequence)

    def _copy(self, sequence: Sequence) -> int:
        """A sequence's blocks cross the link to the host; how many."""
        blocks = blocks_of(sequence.computed, self.kv.block_size)
        self._transfer += blocks * self.kv.block_size * self.deployment.kv_token_bytes
        return blocks

    def _state(self, identity: int) -> str:
        if identity in self.waiting:
            return "it waits"
        return "its prompt is computed" if identity in self.running else "there is no such request"
