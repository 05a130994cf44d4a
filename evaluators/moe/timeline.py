"""Rebalancing as engines do it: observe a window, plan, transfer, switch; the old placement serves meanwhile.

Every interval begins with a call of the policy on the window that has just ended. Planning takes `PLAN_SECONDS` beside
the serving. Then the new experts are fetched, and

* a synchronous engine (SGLang's default) stops serving until all layers have theirs, then switches all at once;
* an asynchronous one (vLLM `use_async`) goes on serving and fetches layer after layer with a share of the links, which
  the all-to-all of the steps meanwhile lacks; each layer switches as soon as it is complete.

Each sampled step stands for an equal stretch of the interval, during part of which a layer may still be the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.moe.bound import layer_seconds
from evaluators.moe.cost import CostModel, StepTimes
from evaluators.moe.placement import Ints, Moves, initial_placement
from evaluators.moe.trace import Floats, Trace

PLAN_SECONDS = 1.0  # from the end of the window to the first byte moved: gather loads, plan, agree over all ranks
ASYNC_SHARE = 0.2  # of the links that background transfers take

Planner = Callable[[npt.NDArray[np.float64], Ints], Ints]  # (window, placement in force) -> placement, checked


@dataclass(frozen=True)
class Deployment:
    """What runs where: the trace's layers stand for `layer_scale` real ones each."""

    cost: CostModel
    trace: Trace
    slots: int
    interval: int  # engine steps between two rebalances
    asynchronous: bool

    @property
    def layer_scale(self) -> float:
        return self.cost.model.layers / self.trace.layers

    @property
    def initial(self) -> Ints:
        return initial_placement(self.trace.layers, self.trace.experts, self.slots)


@dataclass(frozen=True)
class Result:
    """What became of a policy over the whole trace."""

    tokens: float  # served
    seconds: float
    stalled: float  # seconds, of those, in which nothing was served
    communication: float  # seconds, of those, in dispatch and combine
    moved_bytes: float  # over all GPUs and layers, mean of an interval
    balance: float  # mean over steps and layers of mean / max tokens per GPU
    prefill_layer: float  # mean seconds of a layer in prefill steps; 0 if there are none
    decode_layer: float

    @property
    def throughput(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


def simulate(deployment: Deployment, plan: Planner) -> Result:
    """Live through the trace with a policy."""
    trace = deployment.trace
    placement = deployment.initial
    served: list[Floats] = []
    communication: list[Floats] = []
    balance: list[Floats] = []
    stalled = moved = 0.0
    for interval in range(trace.intervals):
        answer = plan(trace.windows[interval], placement)
        lived = live_interval(deployment, interval, placement, answer)
        placement = answer
        served.append(lived.layer)
        communication.append(lived.communication)
        balance.append(lived.balance)
        stalled += lived.stalled
        moved += lived.moved_bytes
    layers = np.array(served)  # [intervals, steps, layers]
    repeat = deployment.interval / trace.steps
    return Result(
        tokens=float(trace.tokens.sum()) * repeat,
        seconds=float(layers.sum()) * deployment.layer_scale * repeat + stalled,
        stalled=stalled,
        communication=float(np.sum(communication)) * deployment.layer_scale * repeat,
        moved_bytes=moved / trace.intervals,
        balance=float(np.mean(balance)),
        prefill_layer=_mean(layers[:, trace.of_phase("prefill")]),
        decode_layer=_mean(layers[:, trace.of_phase("decode")]),
    )


def stay(_window: npt.NDArray[np.float64], placement: Ints) -> Ints:
    """The planner that never rebalances: the reference of the score."""
    return placement


def bound_throughput(deployment: Deployment) -> float:
    """Tokens per second that no policy can exceed on this trace."""
    trace, cost = deployment.trace, deployment.cost
    seconds = sum(
        float(layer_seconds(cost, trace, interval, deployment.slots).sum()) for interval in range(trace.intervals)
    )
    return float(trace.tokens.sum()) / (seconds * deployment.layer_scale)


@dataclass(frozen=True)
class Lived:
    """One interval, its times already mixed over the stretches under the old and the new placement."""

    layer: Floats  # [steps, layers] seconds
    communication: Floats
    balance: Floats
    stalled: float
    moved_bytes: float


def live_interval(deployment: Deployment, interval: int, old: Ints, new: Ints) -> Lived:
    """The interval that begins with the decision to go from `old` to `new`."""
    cost, trace = deployment.cost, deployment.trace
    before = cost.times(trace, interval, old)
    if np.array_equal(old, new):
        return Lived(before.layer, before.communication, before.balance, 0.0, 0.0)
    moves = Moves.between(old, new, trace.experts, cost.cluster.nodes, cost.cluster.gpus)
    after = cost.times(trace, interval, new)
    fetch = _fetch_seconds(cost, moves) * deployment.layer_scale
    moved = float(moves.near.sum() + moves.far.sum()) * cost.model.expert_bytes * deployment.layer_scale
    step_seconds = float(before.layer.sum(axis=1).mean()) * deployment.layer_scale
    stretch = step_seconds * deployment.interval / trace.steps
    if deployment.asynchronous:
        ready = PLAN_SECONDS + np.cumsum(fetch / ASYNC_SHARE)
        return _mix(before, after, ready, stretch, 0.0, moved)
    ready = np.full(trace.layers, PLAN_SECONDS)
    return _mix(before, after, ready, stretch, float(fetch.sum()), moved)


def _mix(before: StepTimes, after: StepTimes, ready: Floats, stretch: float, stalled: float, moved: float) -> Lived:
    """Weigh old and new times by the part of each stretch that passes before a layer is `ready` (seconds, [layers])."""
    starts = np.arange(len(before.layer))[:, None] * stretch

    def passed(seconds: Floats | float) -> Floats:  # by then, as a part of each stretch
        return np.asarray(np.clip((seconds - starts) / stretch, 0.0, 1.0))

    old, planning, all_new = passed(ready), passed(PLAN_SECONDS), passed(ready[-1])

    def weigh(old_times: Floats, new_times: Floats) -> Floats:
        return np.asarray(old * old_times + (1 - old) * new_times)

    # while something is fetched beside the serving, dispatch and combine have the rest of the links
    fetching = (old - planning) * before.communication + (all_new - old) * after.communication
    communication = weigh(before.communication, after.communication) + fetching * (1 / (1 - ASYNC_SHARE) - 1)
    rest = weigh(before.experts + before.fixed, after.experts + after.fixed)
    return Lived(rest + communication, communication, weigh(before.balance, after.balance), stalled, moved)


def _fetch_seconds(cost: CostModel, moves: Moves) -> Floats:
    """Seconds until the slowest GPU has a layer's new experts, [layers]: wire and NVLink side by side."""
    gpu, size = cost.cluster.gpu, cost.model.expert_bytes
    per_gpu = np.maximum(moves.far * (size / gpu.rdma_rate), moves.near * (size / gpu.nvlink_rate))
    return np.asarray(per_gpu.max(axis=1))


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else 0.0
