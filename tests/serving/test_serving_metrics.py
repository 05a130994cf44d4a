"""Metrics of hand-made runs, and fairness against its definition."""

from __future__ import annotations

from itertools import combinations
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.serving.engine.fairness import Served, service_gap
from evaluators.serving.engine.metrics import joules_with_idle, metrics_of
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.request import Request


def finished(request: Request, admitted: float, first: float, gaps: list[float], recorder: Recorder) -> None:
    """A request that makes its first token at `first` and the others after the gaps."""
    sequence = Sequence(request)
    sequence.admitted_at, sequence.first_token_at = admitted, first
    sequence.largest_gap = max(gaps, default=0.0)
    for gap in gaps:
        recorder.gaps.add(gap)
    recorder.finish(sequence, first + sum(gaps))


def test_an_empty_run_is_all_zeros() -> None:
    metrics = metrics_of(Recorder(), kv_blocks=10)
    assert set(metrics.values()) == {0.0}


def test_one_token_answers_have_no_time_between_tokens() -> None:
    recorder = Recorder()
    finished(Request(0, 1.0, 8, 1, ttft_slo=3.0, tbt_slo=0.1), 1.0, 3.0, [], recorder)
    metrics = metrics_of(recorder, kv_blocks=10)
    assert (metrics["ttft_mean_s"], metrics["ttft_p99_s"], metrics["e2e_p50_s"]) == (2.0, 2.0, 2.0)
    assert metrics["tpot_mean_s"] == metrics["tbt_p99_s"] == 0.0
    assert metrics["slo_attainment"] == 1.0
    assert metrics["goodput_requests_per_s"] == 0.5


def test_a_run_by_hand() -> None:
    recorder = Recorder()
    finished(Request(0, 0.0, 30, 3, ttft_slo=1.0, tbt_slo=0.5), 0.0, 1.0, [0.5, 0.5], recorder)  # on both limits
    finished(Request(1, 1.0, 10, 2, ttft_slo=1.0, tbt_slo=0.5), 1.5, 2.5, [0.5], recorder)  # first token late
    finished(Request(2, 2.0, 20, 2, ttft_slo=9.0, tbt_slo=0.5), 2.0, 3.0, [1.0], recorder)  # second token late
    recorder.ran(iterations=6, tokens=64, seconds=3.0, joules=670.0, blocks=5)
    metrics = metrics_of(recorder, kv_blocks=10, gpus=2)
    assert metrics["ttft_mean_s"] == pytest.approx(3.5 / 3)
    assert metrics["ttft_p50_s"] == 1.0
    assert metrics["queue_mean_s"] == pytest.approx(0.5 / 3)
    assert metrics["tpot_mean_s"] == pytest.approx(2.0 / 3)
    assert metrics["tbt_mean_s"] == pytest.approx(0.625)
    assert metrics["tbt_p99_s"] == pytest.approx(1.0, rel=0.005)
    assert metrics["e2e_p90_s"] == pytest.approx(2.0)
    assert metrics["span_s"] == 4.0
    assert metrics["throughput_tokens_per_s"] == 7 / 4
    assert metrics["slo_attainment"] == pytest.approx(1 / 3)
    assert metrics["goodput_requests_per_s"] == 0.25
    assert metrics["busy"] == 0.75
    assert metrics["kv_use"] == 0.5
    assert metrics["energy_joules_per_token"] == 10.0
    assert joules_with_idle(recorder, idle_watts=20.0, seconds=8.0) == 670.0 + 20.0 * 5.0
    assert metrics["power_watts_per_gpu"] == pytest.approx(670 / 6)
    assert all(isfinite(value) for value in metrics.values())


def served(rows: list[tuple[int, int, int, float, float, float, float]]) -> Served:
    """Rows of tenant, prompt, output, arrival, admission, first and last token."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Served(*columns)


def test_service_counts_only_while_both_are_backlogged() -> None:
    """Tenant 0 gets 100 + 2 x 11 tokens by time 1; of it 1 and 0 are both queued from 0 to 3, then only 1."""
    rows = [
        (0, 100, 11, 0.0, 1.0, 2.0, 12.0),  # its tokens: 1 at 2.0, then one a second
        (0, 100, 1, 0.0, 3.0, 4.0, 4.0),
        (1, 500, 1, 0.0, 5.0, 6.0, 6.0),
    ]
    # between 0 and 3: 100 input tokens, the first output token, and one more by time 3, each output token twice
    assert service_gap(served(rows)) == 100 + 2 + 2


def test_one_tenant_or_none_in_the_queue_is_fair() -> None:
    assert service_gap(served([(0, 9, 9, 0.0, 1.0, 2.0, 3.0), (0, 9, 9, 0.0, 1.0, 2.0, 3.0)])) == 0.0
    assert service_gap(served([(0, 9, 9, 0.0, 0.0, 2.0, 3.0), (1, 9, 9, 0.0, 1.0, 2.0, 3.0)])) == 0.0


def test_equal_turns_are_fairer_than_one_tenant_first() -> None:
    def alternating(order: list[int]) -> float:
        return service_gap(served([(t, 100, 1, 0.0, i + 1.0, i + 1.5, i + 1.5) for i, t in enumerate(order)]))

    assert alternating([0, 1] * 4) == 102.0
    assert alternating([0] * 4 + [1] * 4) == 3 * 102.0  # with its fourth admission tenant 0 leaves the queue


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_the_gap_is_the_largest_over_all_spans(seed: int) -> None:
    """Against the definition, on a grid of spans fine enough to come close, and never above it."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(8):
        times = np.cumsum(rng.integers(0, 4, 4)).astype(float)
        rows.append((int(rng.integers(0, 3)), int(rng.integers(1, 50)), int(rng.integers(1, 9)), *times.tolist()))
    grid = np.arange(0.0, 14.0, 0.25)
    widest = max(
        (
            abs(_service(rows, f, t1, t2) - _service(rows, g, t1, t2))
            for f, g in combinations(range(3), 2)
            for t1, t2 in combinations(grid, 2)
            if _backlogged(rows, f, t1, t2) and _backlogged(rows, g, t1, t2)
        ),
        default=0.0,
    )
    exact = service_gap(served(rows))
    assert widest - 1e-9 <= exact <= widest + 1e-6 + _between(rows)


def _service(rows: list[tuple[float, ...]], tenant: int, start: float, end: float) -> float:
    """Weighted tokens in [start, end)."""
    total = 0.0
    for owner, prompt, output, _, admitted, first, last in rows:
        if owner == tenant:
            total += prompt * (start <= admitted < end) + 2 * (start <= first < end)
            if last > first:
                total += 2 * (output - 1) * max(0.0, min(end, last) - max(start, first)) / (last - first)
            else:
                total += 2 * (output - 1) * (start <= first < end)
    return total


def _backlogged(rows: list[tuple[float, ...]], tenant: int, start: float, end: float) -> bool:
    """Whether a request of the tenant is queued at each grid point of [start, end)."""
    queued = [(row[3], row[4]) for row in rows if row[0] == tenant]
    return all(any(a <= t < b for a, b in queued) for t in np.arange(start, end, 0.25))


def _between(rows: list[tuple[float, ...]]) -> float:
    """What a span may gain that ends between two points of the grid: the decoded tokens of a quarter second."""
    return 0.25 * sum(2 * (row[2] - 1) / max(row[6] - row[5], 1.0) for row in rows)
