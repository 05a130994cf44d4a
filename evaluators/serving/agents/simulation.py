"""Sessions of agents on one instance, as a closed loop: a turn arrives when the tool called by the last answer is done.

After each answer but a session's last the policy says what becomes of its KV; whenever turns have come and several
wait, it says in which order. The engine underneath is that of all serving problems, with vLLM's scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Listed
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from evaluators.serving.agents.host import HostMemory, Load
from evaluators.serving.agents.interface import Retention
from evaluators.serving.agents.job import Job
from evaluators.serving.agents.pins import NEVER, Kept, Pin, Pins
from evaluators.serving.agents.scheduler import TurnScheduler
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.traffic.agents import AgentSession

Event = Callable[[float], None]


class Keeper(Protocol):
    """A policy, as the simulation asks it."""

    def retain(self, now: float, job: Job, sequence: Sequence, serving: AgentServing) -> Retention:
        """What becomes of the KV of a session whose turn has just been answered."""

    def order(self, now: float, waiting: Listed[Sequence], serving: AgentServing) -> Listed[int]:
        """The ids of the waiting turns in the order in which they are admitted."""


class AgentServing:
    """One run.

    Args:
        sessions: In order of arrival.
        host_blocks: KV blocks that host memory has room for.

    Attributes:
        jobs: By id of the session, from its arrival on; `open_jobs` of them are not complete.
        ended: Of these, those that are complete, until somebody takes them.
    """

    def __init__(
        self, deployment: Deployment, sessions: Listed[AgentSession], host_blocks: int, keeper: Keeper
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.ended: list[Job] = []
        self.open_jobs = 0
        self.cache = PrefixCache(deployment.block_size)
        self.pins = Pins(self.cache)
        self.host = HostMemory(
            host_blocks, deployment.host_bytes_per_second / (deployment.block_size * deployment.kv_token_bytes)
        )
        self.recorder = Recorder()
        self._scheduler = TurnScheduler(self.pins, lambda now, waiting: keeper.order(now, waiting, self), self.host)
        self.instance = Instance(deployment, self._scheduler, self.recorder, self.cache)
        self._keeper = keeper
        self._ids = count()
        self._ties = count()
        self._events: list[tuple[float, int, Event]] = []
        for session in sessions:
            self._at(session.arrival, partial(self._begin, session))

    def run(self) -> None:
        """Serve all sessions to the end. Raises `Refused` of a step that cannot be done."""
        instance = self.instance
        while True:
            self._start()
            now = min(instance.next_end(), self._events[0][0] if self._events else NEVER)
            if now == NEVER:
                assert instance.idle, "turns wait for nothing"
                return
            instance.advance(now)
            for sequence in instance.ended:
                self._answered(sequence, now)
            instance.ended.clear()
            while self._events and self._events[0][0] <= now:
                heappop(self._events)[2](now)

    def _at(self, time: float, event: Event) -> None:
        if time < NEVER:
            heappush(self._events, (time, next(self._ties), event))

    def _start(self) -> None:
        """Start the next iteration; what it admits has its own hold on its KV."""
        self.instance.start()
        now = self.instance.clock
        for sequence in self._scheduler.admitted:
            self.pins.end(sequence.request.session, now)
        self._scheduler.admitted.clear()
        for load in self.host.loads:
            self._at(load.end, partial(self._loaded, load))
        self.host.loads.clear()

    # What happens

    def _begin(self, session: AgentSession, now: float) -> None:
        job = self.jobs[session.id] = Job(session)
        self.open_jobs += 1
        self._arrive(job, now)

    def _arrive(self, job: Job, now: float) -> None:
        self.pins.prolong(job.id)
        self.instance.submit(job.request(now, next(self._ids)), now)

    def _answered(self, sequence: Sequence, now: float) -> None:
        job = self.jobs[sequence.request.session]
        job.answered(sequence, now)
        if job.done:
            self.open_jobs -= 1
            self.ended.append(job)
            self.host.drop(job.streams)
            return
        gap = job.session.turns[job.turns - 1].gap
        self._at(now + gap, partial(self._arrive, job))
        retention = self._keeper.retain(now, job, sequence, self)
        kept = Kept(job, sequence.request.prefix[-1].key, sequence.computed, retention.then)
        if retention.pin_s > 0.0:
            pin = self.pins.keep(kept, now, now + retention.pin_s)
            self._at(pin.until, partial(self._expire, pin))
        else:
            self._dispose(kept, now)

    def _expire(self, pin: Pin, now: float) -> None:
        if self.pins.holds(pin) and pin.until <= now:
            self.pins.end(pin.kept.job.id, now)
            self._dispose(pin.kept, now)
            self._reconsider(now)

    def _dispose(self, kept: Kept, now: float) -> None:
        """What happens to a session's KV once no pin keeps it."""
        if kept.then == "discard":
            self.cache.discard(kept.key)
        elif kept.then == "swap":
            end = self.host.begin_swap(self.cache.cached(kept.key), now)
            if end is not None:  # it stays until it is copied
                pin = self.pins.keep(kept, now, NEVER)
                self._at(end, partial(self._swapped, pin))

    def _swapped(self, pin: Pin, now: float) -> None:
        if self.pins.holds(pin) and not pin.turn_waits:
            self.pins.end(pin.kept.job.id, now)
            self.host.end_swap(
                pin.kept.key, pin.kept.tokens // self.cache.block_size * self.cache.block_size, pin.blocks
            )
            self.cache.discard(pin.kept.key)
            self._reconsider(now)
        else:
            self.host.cancel_swap(pin.blocks)

    def _loaded(self, load: Load, now: float) -> None:
        job, prefix = self.jobs[load.sequence.request.session], load.sequence.request.prefix
        self.host.end_load(load, self.instance.kv)
        self.pins.keep(Kept(job, prefix[-1].key, load.tokens, "lru"), now, NEVER)
        self.pins.prolong(job.id)
        self.cache.release(prefix, load.tokens)
        self._reconsider(now)

    def _reconsider(self, now: float) -> None:
        """A waiting turn may have room now."""
        self.instance.wake(now)
        self.instance.interrupt(now)
