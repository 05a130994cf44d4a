"""Living through a policy's answers: what presses on the GPUs while models load, and after.

At the start of a period the policy answers. Every model that it moves leaves its old GPU at once (so the memory of a
placement that fits never overflows on the way) and is loaded into the new one from disk or host memory. A GPU loads one
model at a time, the one with the shortest rest first. A load that is not done when the period ends goes on in the next
one, unless the model is moved again; then it starts anew.

While a model loads, its requests wait for it. Afterwards those that waited are released within about one SLO, on top
of the ones that arrive: with `q` requests waiting of a model with arrival rate `r` and SLO `s`,

    dq/dt = r while it loads,  dq/dt = -q / s when it serves,  and its demand is (r + q / s) / s at all times.

So requests that wait press like an arrival rate that would have to be served within the SLO, on the GPU that is to
serve them. None is lost, none presses less for being late: without moves this is Prism's ratio, and at any moment it is
at least Prism's ratio of the placement in force. Loading for `L` seconds at a steady rate costs the model
L + L^2 / (2 s) seconds of its own demand more: the released requests, and their waiting.

The cost of a policy is the pressure on the worst GPU, averaged over time (over cells of one second, in which waiting
and demand are integrated exactly).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluators.placement.fleet import Fleet, Floats, Ints

Planner = Callable[[Floats, Ints], Ints]  # (rates of the last period [stretches, models], placement) -> placement


@dataclass(frozen=True)
class Trace:
    """Rates over time: piecewise constant, the same number of stretches in each period."""

    rates: Floats  # [1 + periods, stretches, models] requests/s; the first period is only observed
    stretch_seconds: int

    @property
    def periods(self) -> int:
        return len(self.rates) - 1

    @property
    def period_seconds(self) -> int:
        return int(self.rates.shape[1]) * self.stretch_seconds

    def seen(self, period: int) -> Floats:
        """What the policy is shown before `period`, [stretches, models]."""
        return np.asarray(self.rates[period])

    def lived(self, period: int) -> Floats:
        """What then happens, [stretches, models]."""
        return np.asarray(self.rates[period + 1])


@dataclass(frozen=True)
class Cluster:
    """A fleet, what it is asked for, and the placement that it starts with."""

    fleet: Fleet
    trace: Trace
    initial: Ints


@dataclass(frozen=True)
class State:
    """What one period leaves to the next, per model."""

    waiting: Floats  # requests
    to_load: Floats  # seconds of loading still to do; 0 if it serves

    @classmethod
    def at_rest(cls, models: int) -> State:
        return cls(np.zeros(models), np.zeros(models))


@dataclass(frozen=True)
class Lived:
    """One period."""

    pressure: Floats  # [cells] of the worst GPU
    waiting: Floats  # [models] request-seconds waited
    late: float  # requests that arrived while their model was loading
    state: State


@dataclass(frozen=True)
class Result:
    """What became of a policy over the whole trace."""

    pressure: float  # of the worst GPU, mean over time
    moved: float  # models a period
    moved_gb: float  # a period
    late_share: float  # of all requests: arrived while their model was loading
    mean_wait: float  # seconds, over all requests
    waiting: Floats  # requests that still wait at the end, [models]


def simulate(cluster: Cluster, plan: Planner) -> Result:
    """Live through the trace with a policy."""
    fleet, trace = cluster.fleet, cluster.trace
    placement, state = cluster.initial, State.at_rest(fleet.models)
    pressure = waited = late = moved = moved_gb = 0.0
    for period in range(trace.periods):
        answer = plan(trace.seen(period), placement)
        moving = answer != placement
        state = State(state.waiting, np.where(moving, fleet.load_seconds, state.to_load))
        lived = live_period(fleet, trace.lived(period), trace.stretch_seconds, answer, state)
        placement, state = answer, lived.state
        pressure += float(lived.pressure.mean())
        waited += float(lived.waiting.sum())
        late += lived.late
        moved += float(moving.sum())
        moved_gb += float(fleet.weights[moving].sum())
    arrived = float(trace.rates[1:].sum()) * trace.stretch_seconds or 1.0
    periods = trace.periods
    return Result(
        pressure / periods, moved / periods, moved_gb / periods, late / arrived, waited / arrived, state.waiting
    )


def stay(_rates: Floats, placement: Ints) -> Ints:
    """The planner that never moves a model: the reference of the score."""
    return placement


def live_period(fleet: Fleet, rates: Floats, stretch_seconds: int, placement: Ints, state: State) -> Lived:
    """One period under one placement. `rates` is [stretches, models]; cells are seconds."""
    seconds = len(rates) * stretch_seconds
    arriving = np.repeat(rates, stretch_seconds, axis=0).T  # [models, cells]
    if not state.to_load.any() and not state.waiting.any():
        pressure = fleet.pressure(placement, arriving / fleet.slo[:, None]).max(axis=0)
        return Lived(pressure, np.zeros(fleet.models), 0.0, state)
    ready = _ready_times(placement, state.to_load)
    queue = _Queue(arriving, fleet.slo, state.waiting, ready)
    demand = (arriving + queue.mean / fleet.slo[:, None]) / fleet.slo[:, None]
    left = np.clip(ready - seconds, 0.0, state.to_load)
    return Lived(
        pressure=fleet.pressure(placement, demand).max(axis=0),
        waiting=queue.mean.sum(axis=1),
        late=float(queue.late.sum()),
        state=State(queue.end, left),
    )


def _ready_times(placement: Ints, to_load: Floats) -> Floats:
    """Seconds until each model serves: a GPU's loads one after the other, the shortest first; 0 if it serves now."""
    order = np.lexsort((to_load, placement))
    done = np.cumsum(to_load[order])
    gpu = placement[order]
    first = np.r_[True, gpu[1:] != gpu[:-1]]
    before = np.maximum.accumulate(np.where(first, done - to_load[order], 0.0))  # seconds of the GPUs in front
    ready = np.empty_like(to_load)
    ready[order] = done - before
    return np.asarray(np.where(to_load > 0, ready, 0.0))


class _Queue:
    """Requests that wait, through the cells of a period: growing until a model is ready, then draining.

    mean: [models, cells], averages over each second.
    end: [models], at the end of the period.
    late: [models], requests that arrived before the model was ready.
    """

    def __init__(self, arriving: Floats, slo: Floats, start: Floats, ready: Floats) -> None:
        models, cells = arriving.shape
        edges = np.arange(cells + 1.0)
        arrived = np.zeros((models, cells + 1))  # up to each edge
        np.cumsum(arriving, axis=1, out=arrived[:, 1:])
        area = np.zeros((models, cells + 1))  # integral of `arrived`
        np.cumsum(arrived[:, :-1] + arriving / 2, axis=1, out=area[:, 1:])

        until = np.minimum(ready, cells)  # the end of the growth within the period
        cell = np.minimum(until.astype(np.int64), cells - 1)
        row, part = np.arange(models), until - cell
        self.late = arrived[row, cell] + arriving[row, cell] * part
        peak = start + self.late
        peak_area = area[row, cell] + (arrived[row, cell] + arriving[row, cell] * part / 2) * part + start * until

        growing = edges <= until[:, None]
        drained = np.exp(-np.maximum(edges - until[:, None], 0.0) / slo[:, None])
        falling = peak_area[:, None] + (slo * peak)[:, None] * (1 - drained)
        integral = np.where(growing, area + start[:, None] * edges, falling)
        self.mean = np.maximum(np.diff(integral, axis=1), 0.0)
        self.end = peak * drained[:, -1]
