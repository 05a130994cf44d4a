"""The engine where theory knows the answer: single-server queues, processor sharing, batches of equals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from serving_cases import UNIT, ToyCost, served, toy

from evaluators.serving.cost.batch import Batch
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def stream(arrivals: Floats, prompts: Ints, outputs: Ints) -> list[Request]:
    rows = zip(arrivals.tolist(), prompts.tolist(), outputs.tolist(), strict=True)
    return [Request(id, *row) for id, row in enumerate(rows)]


def poisson(rng: np.random.Generator, rate: float, count: int) -> Floats:
    return np.cumsum(rng.exponential(1 / rate, count))


def in_order(column: npt.NDArray[np.generic], ids: npt.NDArray[np.generic]) -> Floats:
    """A recorder's column by request."""
    return np.asarray(column, dtype=np.float64)[np.argsort(ids)]


def mean_and_error(values: Floats, batches: int = 20) -> tuple[float, float]:
    """Of a correlated series: its mean and the standard error of that, by the means of batches."""
    means = np.array([batch.mean() for batch in np.array_split(values, batches)])
    return float(values.mean()), float(means.std(ddof=1) / np.sqrt(batches))


def assert_agrees(values: Floats, theory: float, bias: float = 0.0) -> None:
    """Within three and a half standard errors, which are themselves small enough for this to say something."""
    mean, error = mean_and_error(values)
    assert error < 0.06 * theory
    assert abs(mean - theory) < 3.5 * error + bias * theory


# One sequence at a time: a queue with one server


def service_seconds(cost: ToyCost, prompts: Ints, outputs: Ints) -> Floats:
    """Of requests that run alone, their prompts in one chunk: the formula summed by hand."""
    prefill = cost.step + cost.sequence + cost.sample + np.maximum(cost.weights, cost.token * prompts)
    prefill += cost.pair * prompts**2
    decode = cost.step + cost.sequence + cost.sample + max(cost.weights, cost.token)
    context = np.array([sum(range(p + 1, p + n)) for p, n in zip(prompts.tolist(), outputs.tolist(), strict=True)])
    return np.asarray(UNIT * (prefill + decode * (outputs - 1) + 2 * cost.context * context))


@dataclass(frozen=True)
class Alone:
    """A stream served one request at a time, first come first served."""

    arrivals: Floats
    service: Floats
    waits: Floats

    @classmethod
    def of(cls, seed: int, load: float, count: int, outputs: int | None = None) -> Alone:
        """`outputs` tokens each, or geometric numbers of them."""
        rng, cost = np.random.default_rng(seed), ToyCost()
        lengths = np.full(count, outputs) if outputs else rng.geometric(1 / 12, count)
        prompts = np.full(count, 40) if outputs else rng.integers(1, 100, count)
        service = service_seconds(cost, prompts, lengths)
        arrivals = poisson(rng, load / float(service.mean()), count)
        instance = served(toy(cost=cost), VllmV1(max_sequences=1), stream(arrivals, prompts, lengths))
        columns = instance.recorder.columns()
        waits = in_order(columns["admitted_at"], columns["id"]) - arrivals
        finished = in_order(columns["finished_at"], columns["id"])
        np.testing.assert_allclose(finished, arrivals + waits + service, rtol=1e-9)
        return cls(arrivals, service, waits)


def test_waits_follow_the_recursion_of_lindley() -> None:
    """W' = max(0, W + S - A), request by request."""
    queue = Alone.of(1, 0.9, 3000)
    wait = 0.0
    for place in range(1, 3000):
        wait = max(0.0, wait + queue.service[place - 1] - (queue.arrivals[place] - queue.arrivals[place - 1]))
        assert queue.waits[place] == pytest.approx(wait, rel=1e-6, abs=1e-9)


def test_mean_wait_is_that_of_pollaczek_and_khinchine() -> None:
    """M/G/1: rate x E[S^2] / (2 (1 - load)), here of the service times that were drawn."""
    load = 0.6
    queue = Alone.of(2, load, 12_000)
    rate = load / queue.service.mean()
    assert_agrees(queue.waits, float(rate * (queue.service**2).mean() / (2 * (1 - load))))


def test_equal_requests_wait_as_in_m_d_1() -> None:
    """Half of what exponential service would make them wait: load S / (2 (1 - load)); a share 1 - load not at all."""
    load = 0.7
    queue = Alone.of(3, load, 12_000, outputs=5)
    assert_agrees(queue.waits, load * queue.service[0] / (2 * (1 - load)))
    assert_agrees((queue.waits <= 1e-9).astype(float), 1 - load)


# All at once: processor sharing


@dataclass(frozen=True)
class PerToken:
    """Nothing costs but the tokens: an iteration over n decoding sequences takes n times as long as over one."""

    def overhead(self, batch: Batch) -> float:
        return 0.0

    def layers(self, batch: Batch) -> float:
        return UNIT * batch.tokens

    def context_slope(self, decodes: int) -> float:
        return 0.0


@pytest.mark.parametrize("geometric", [False, True])
def test_batching_is_processor_sharing_where_only_tokens_cost(geometric: bool) -> None:
    """M/G/1-PS: a mean time in the system of E[S] / (1 - load), whatever the distribution of lengths.

    A request waits for the iteration under way, of as many tokens as there are requests: about load / (1 - load), of
    200 times that which it then takes.
    """
    rng, load, count, mean = np.random.default_rng(4), 0.6, 6000, 200
    outputs = rng.geometric(1 / mean, count) if geometric else np.full(count, mean)
    arrivals = poisson(rng, load / (mean * UNIT), count)
    columns = served(toy(cost=PerToken()), VllmV1(), stream(arrivals, np.ones(count, int), outputs)).recorder.columns()
    times = in_order(columns["finished_at"], columns["id"]) - arrivals
    assert_agrees(times, mean * UNIT / (1 - load), bias=0.02)
    if geometric:  # and in proportion to the length
        long = outputs > mean
        assert times[long].sum() / outputs[long].sum() == pytest.approx(UNIT / (1 - load), rel=0.12)


# Batches of equals


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("budget", [10, 35, 1000])
def test_equal_requests_at_once(count: int, budget: int) -> None:
    """With the prompts in chunks of a budget and all decodes in step, the end of everything is a sum."""
    prompt, output, cost = 20, 30, ToyCost(sequence=0, sample=0, weights=0, token=3, pair=0, reread=0, context=0)
    requests = [Request(id, 0.0, prompt, output) for id in range(count)]
    instance = served(toy(cost=cost), VllmV1(max_batch_tokens=max(budget, count)), requests)
    tokens = count * (prompt + output - 1)
    assert instance.recorder.computed_tokens == tokens
    assert instance.clock == UNIT * (cost.token * tokens + cost.step * instance.recorder.iterations)
    if budget >= count * prompt:
        assert instance.recorder.iterations == output
    assert set(instance.recorder.columns()["finished_at"][-1:].tolist()) == {instance.clock}


def test_tokens_of_a_busy_engine_come_at_the_ticks_of_its_clock() -> None:
    """With iterations of one length, a request that comes between two waits for the second, and has a token at each."""
    cost = ToyCost(step=1000, sequence=0, sample=0, weights=0, token=0, pair=0, reread=0, context=0)
    rng = np.random.default_rng(5)
    arrivals = np.sort(np.append(rng.integers(1, 400_000, 200) * UNIT, 0.0))
    outputs = np.append(1000, rng.integers(1, 50, 200))  # the first keeps it busy
    columns = served(toy(cost=cost), VllmV1(), stream(arrivals, rng.integers(1, 90, 201), outputs)).recorder.columns()
    ids, tick = columns["id"], 1000 * UNIT
    start = np.ceil(arrivals / tick) * tick
    np.testing.assert_array_equal(in_order(columns["admitted_at"], ids), start)
    np.testing.assert_array_equal(in_order(columns["first_token_at"], ids), start + tick)
    np.testing.assert_array_equal(in_order(columns["finished_at"], ids), start + outputs * tick)
    assert np.all(columns["largest_gap"][columns["output_tokens"] > 1] == tick)


# Attention


@pytest.mark.parametrize("budget", [1, 7, 64, 1000])
def test_attention_costs_the_same_however_a_prompt_is_cut(budget: int) -> None:
    """The pairs of a prompt of p tokens are p^2; what a cut costs is reading again the KV in front of it."""
    prompts = [1, 64, 129, 300]
    requests = [Request(id, 0.0, prompt, 1) for id, prompt in enumerate(prompts)]
    nothing = {"step": 0, "sequence": 0, "sample": 0, "weights": 0, "token": 0, "context": 0}
    pairs = served(toy(cost=ToyCost(**nothing, pair=1, reread=0)), VllmV1(budget, max_sequences=1), requests)
    assert pairs.clock == UNIT * sum(prompt**2 for prompt in prompts)
    again = served(toy(cost=ToyCost(**nothing, pair=1, reread=1)), VllmV1(budget, max_sequences=1), requests)
    cuts = sum(sum(range(0, prompt, budget)) for prompt in prompts)
    assert again.clock == pairs.clock + UNIT * cuts
