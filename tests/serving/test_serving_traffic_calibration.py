"""Generated traffic against published figures, and against recorded traffic where it is at hand.

Each figure is held by the mean over seeds, within the tolerance written beside it: single hours of such traffic differ
as much from each other as the recorded hour may differ from the next.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.cli import ROOT

from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic import azure, burstgpt, servegen, sessions
from evaluators.serving.traffic.agent_profiles import CODING, MINI_SWE, TEAM
from evaluators.serving.traffic.agents import AgentProfile, AgentTurn, generate
from evaluators.serving.traffic.arrivals import Gamma
from evaluators.serving.traffic.lengths import Lognormal
from evaluators.serving.traffic.loaders import load
from evaluators.serving.traffic.summary import Summary, summarise

HOUR = 3500.0
CONVERSATION = "AzureLLMInferenceTrace_conv.csv.gz"


def shared(folder: str) -> Path:
    """A folder of recorded data beside the checkout."""
    path = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / folder
    if not path.is_dir():
        pytest.skip(f"no recorded traffic at {path}; set ADRS_SHARED_DATA")
    return path


def hours(requests: Callable[..., Iterator[Request]], rate: float, seeds: int) -> list[Summary]:
    """Summaries of generated hours."""
    return [summarise(requests(rate, seed, seconds=HOUR)) for seed in range(seeds)]


def mean(summaries: list[Summary], figure: Callable[[Summary], float]) -> float:
    """Of one figure over the hours."""
    return float(np.mean([figure(one) for one in summaries]))


def check_tokens(made: list[Summary], prompts: list[float], answers: list[float], rel: float) -> None:
    """Mean, p50, p90 and p99 of both."""
    for name, expected in (("prompts", prompts), ("answers", answers)):
        for part, value in zip(("mean", "p50", "p90", "p99"), expected, strict=True):
            got = mean(made, lambda one, name=name, part=part: getattr(getattr(one, name), part))  # type: ignore[misc]
            assert got == pytest.approx(value, rel=rel), f"{name} {part}"


@pytest.fixture(scope="module")
def conversation() -> list[Summary]:
    """Generated hours of Azure conversations."""
    return hours(azure.CONVERSATION.requests, 5.53, seeds=6)


def test_azure_conversations(conversation: list[Summary]) -> None:
    check_tokens(conversation, [1155, 1020, 2735, 4142], [211, 129, 424, 601], rel=0.03)
    assert mean(conversation, lambda one: one.rate) == pytest.approx(5.53, rel=0.1)
    assert mean(conversation, lambda one: one.gap_cv) == pytest.approx(1.09, abs=0.04)
    for window, expected, tolerance in ((0, 1.39, 0.1), (1, 3.86, 0.3), (2, 16.1, 0.4)):
        got = mean(conversation, lambda one, window=window: one.dispersion[window])  # type: ignore[misc]
        assert got == pytest.approx(expected, rel=tolerance)


def test_azure_conversations_against_the_recorded_hour(conversation: list[Summary]) -> None:
    recorded = load(shared("azure_llm_2023") / CONVERSATION)
    real = summarise(recorded)
    assert real.count == 19_366
    assert mean(conversation, lambda one: one.gap_cv) == pytest.approx(real.gap_cv, rel=0.05)
    assert mean(conversation, lambda one: one.peak) == pytest.approx(real.peak, rel=0.3)
    made = list(azure.CONVERSATION.requests(5.53, 1, count=20_000))
    for tokens in ("prompt_tokens", "output_tokens"):
        assert distance([getattr(one, tokens) for one in made], [getattr(one, tokens) for one in recorded]) < 0.04


def distance(ones: list[int], others: list[int]) -> float:
    """Kolmogorov-Smirnov: the largest difference of the two distribution functions."""
    values = np.unique(ones + others)
    left, right = (np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (ones, others))
    return float(np.abs(left - right).max())


def test_the_distance_can_fail() -> None:
    recorded = [one.prompt_tokens for one in load(shared("azure_llm_2023") / CONVERSATION)]
    fitted = Lognormal(np.exp(6.63), 0.99).draw(20_000, np.random.default_rng(0)).tolist()
    assert distance(fitted, recorded) > 0.1


def test_azure_code() -> None:
    made = hours(azure.CODE.requests, 2.57, seeds=12)
    check_tokens(made, [2048, 1469, 5188, 7436], [28, 13, 55, 252], rel=0.08)
    assert mean(made, lambda one: one.rate) == pytest.approx(2.57, rel=0.15)
    assert mean(made, lambda one: one.gap_cv) == pytest.approx(13.2, rel=0.3)
    assert np.median([one.peak for one in made]) == pytest.approx(26, rel=0.4)  # the mean hangs on the fullest hour
    for window, expected in enumerate((13.0, 71.0, 161.0)):
        got = mean(made, lambda one, window=window: one.dispersion[window])  # type: ignore[misc]
        assert got == pytest.approx(expected, rel=0.35)


def test_burstgpt_gaps_and_lengths_are_those_of_its_generator() -> None:
    assert burstgpt.BURSTGPT.gaps == Gamma(cv=0.5**-0.5)
    made = list(burstgpt.BURSTGPT.requests(1.0, 0, count=30_000))
    gaps = np.diff([one.arrival for one in made])
    assert gaps.std() / gaps.mean() == pytest.approx(2**0.5, rel=0.05)
    ranked = np.bincount([one.prompt_tokens for one in made])
    assert len(ranked) <= 1024
    assert ranked[1] / ranked[10] == pytest.approx(10**1.1, rel=0.15)


def test_mooncake_conversations() -> None:
    made = list(sessions.CONVERSATION.requests(3.4, 1, seconds=7000.0))
    figures = summarise(made)
    check_tokens([figures], [12_035, 6909, 27_367, 85_400], [343, 350, 597, 1119], rel=0.12)
    assert figures.rate == pytest.approx(3.4, rel=0.05)
    assert figures.reuse == pytest.approx(0.366, abs=0.03)
    begun = {one.session for one in made if one.turn == 0 and one.arrival < 4000.0}
    turns = np.bincount([one.session for one in made if one.session in begun])
    turns = turns[turns > 0]
    assert np.mean(turns == 1) == pytest.approx(0.71, abs=0.02)
    assert turns.mean() == pytest.approx(1.56, abs=0.05)
    assert np.quantile(turns, [0.9, 0.99]).tolist() == pytest.approx([3, 7], abs=1)
    arrived: dict[int, float] = {}
    gaps = []
    for one in made:
        if one.turn:
            gaps.append(one.arrival - arrived.get(one.session, np.nan))
        arrived[one.session] = one.arrival
    assert np.nanquantile(gaps, [0.5, 0.9]).tolist() == pytest.approx([123, 480], rel=0.12)


def test_reuse_counts_blocks_that_were_seen() -> None:
    """Two turns of 1,024 and 2,000 tokens behind a system prompt of 512: 0 of 3 blocks, then 3 of 5."""
    first = Request(0, 0.0, 1536, 10, (Segment(-1, 512), Segment(1, 1024)))
    later = replace(first, id=1, arrival=90.0, prompt_tokens=2512, prefix=(Segment(-1, 512), Segment(1, 2000)))
    other = replace(first, id=2, arrival=200.0, prefix=(Segment(-1, 512), Segment(2, 1024)))
    assert summarise([first, later, other]).reuse == pytest.approx((0 + 3 + 1) / (3 + 5 + 3))


def turns_of(profile: AgentProfile, count: int) -> list[tuple[AgentTurn, ...]]:
    """Of generated sessions."""
    return [session.turns for session in generate(profile, 1.0, seed=0, count=count)]


def quantiles(values: list[float], *shares: float) -> list[float]:
    """At those shares."""
    made: list[float] = np.quantile(values, shares).tolist()
    return made


def test_coding_agents() -> None:
    made = turns_of(CODING, 400)
    turns = [turn for session in made for turn in session]
    assert quantiles([len(session) for session in made], 0.5, 0.9) == pytest.approx([45, 155], rel=0.15)
    assert np.mean([len(session) for session in made]) == pytest.approx(68, rel=0.1)
    prompts = [turn.prompt_tokens for turn in turns]
    assert np.mean(prompts) == pytest.approx(122_000, rel=0.1)
    assert quantiles(prompts, 0.5, 0.9) == pytest.approx([104_000, 234_000], rel=0.1)
    assert quantiles([turn.output_tokens for turn in turns], 0.5, 0.9, 0.99) == pytest.approx([216, 898, 3686], rel=0.1)
    assert quantiles([turn.new_tokens for turn in turns], 0.5, 0.9) == pytest.approx([713, 4206], rel=0.1)
    gaps = [turn.gap for turn in turns if turn.tool not in ("", "user")]
    expected = [3, 5, 9, 19, 71, 152, 611]
    assert quantiles(gaps, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99) == pytest.approx(expected, rel=0.15)
    thinking = [turn.gap for turn in turns if turn.tool == "user"]
    assert quantiles(thinking, 0.25, 0.5, 0.75, 0.9) == pytest.approx([58, 210, 928, 2980], rel=0.3)
    reused = [turn.context / turn.prompt_tokens for turn in turns]
    assert quantiles(reused, 0.1, 0.5) == pytest.approx([0.949, 0.993], abs=0.02)


def test_mini_swe_and_team_agents() -> None:
    for profile, calls, median, late, new in ((MINI_SWE, 22, 1.3, 3.9, 28), (TEAM, 33, 6.4, 12.3, None)):
        made = turns_of(profile, 300)
        turns = [turn for session in made for turn in session]
        assert np.median([len(session) for session in made]) == pytest.approx(calls, abs=2)
        gaps = [turn.gap for turn in turns if turn.tool]
        assert quantiles(gaps, 0.5, 0.9) == pytest.approx([median, late], rel=0.1)
        if new is not None:
            assert np.median([one.new_tokens for session in made for one in session[1:]]) == pytest.approx(new, rel=0.3)
    pairs = [pair for session in turns_of(TEAM, 300) for pair in pairwise(session)]
    assert np.mean([before.stream != after.stream for before, after in pairs]) == pytest.approx(0.5, abs=0.03)


def test_agents_against_recorded_calls() -> None:
    """Calls a session, and output tokens (characters / 4), of the recorded agents."""
    calls = pd.read_csv(shared("lmcache_agent_traces") / "calls.csv.gz")
    for kind, profile in (("miniswe", MINI_SWE), ("magagent", TEAM)):
        real = calls[calls["kind"] == kind]
        made = turns_of(profile, 300)
        counts = real.groupby("session").size()
        assert np.median([len(session) for session in made]) == pytest.approx(counts.median(), abs=3)
        answers = [turn.output_tokens for session in made for turn in session]
        assert np.median(answers) == pytest.approx((real["out_chars"] / 4).median(), rel=0.1)


POOLS = {
    "language_m-large": servegen.LARGE,
    "language_m-mid": servegen.MID,
    "language_m-small": servegen.SMALL,
    "reason_deepseek-r1": servegen.REASONING,
}
PUBLISHED = {  # p50 and p90 of prompts, then of answers, of all requests
    "language_m-large": (654, 2355, 67, 458),
    "language_m-mid": (172, 522, 36, 93),
    "language_m-small": (39, 336, 3, 57),
    "reason_deepseek-r1": (266, 3294, 807, 4165),
}


@pytest.mark.slow
@pytest.mark.parametrize("pool", POOLS)
def test_servegen_lengths(pool: str) -> None:
    """The median over populations: one population's figures hang on the two or three clients that send most."""
    seen = []
    for seed in range(15):
        figures = summarise(POOLS[pool].requests(20.0, seed, count=2500))
        seen.append((figures.prompts.p50, figures.prompts.p90, figures.answers.p50, figures.answers.p90))
    ratio = np.log(np.median(seen, axis=0) / PUBLISHED[pool])
    assert np.abs(ratio).max() < np.log(1.8), np.exp(ratio)


@pytest.mark.parametrize("pool", POOLS)
def test_servegen_clients_against_the_published_tables(pool: str) -> None:
    table = pd.read_csv(shared("servegen") / f"{pool}_clients.csv.gz")
    population = POOLS[pool]
    rates = table.groupby("client")["rate_rps"].sum().sort_values(ascending=False)
    cumulated = (rates / rates.sum()).cumsum().to_numpy()
    assert len(rates) == len(population.shares())
    for clients, share in population.leaders:
        assert cumulated[clients - 1] == pytest.approx(share, abs=0.005)
    weighted = table.assign(total=table["iat_cv"] * table["rate_rps"]).groupby("client")[["total", "rate_rps"]].sum()
    cvs = np.log(weighted["total"] / weighted["rate_rps"])
    assert np.exp(cvs.median()) == pytest.approx(population.cv, rel=0.02)
    assert cvs.std() == pytest.approx(population.cv_sigma, rel=0.05)
    weibull = table[table["pattern"] == "Weibull"].shape[0] / len(table)
    assert weibull == pytest.approx(population.weibull, abs=0.05)


@pytest.mark.parametrize("pool", POOLS)
def test_servegen_lengths_divide_between_and_within_clients_as_published(pool: str) -> None:
    """Shares of the variance of the logarithm, rate-weighted; the sum is fixed by the published p50 and p90."""
    with gzip.open(shared("servegen") / f"{pool}_token_quantiles.json.gz", "rt") as file:
        clients: dict[str, Any] = json.load(file)
    table = pd.read_csv(shared("servegen") / f"{pool}_clients.csv.gz")
    rates = table.groupby("client")["rate_rps"].sum()
    known = [int(client) for client in clients if int(client) in rates.index]
    weights = rates.loc[known].to_numpy()
    for field, spread in (("input_tokens", POOLS[pool].prompts), ("output_tokens", POOLS[pool].answers)):
        p10, p50, p90 = (
            np.log([max(clients[str(one)][field]["q"][share], 1.0) for one in known]) for share in ("10", "50", "90")
        )
        within = float(np.average((p90 - p10) / 2.563, weights=weights)) ** 2
        between = float(np.average((p50 - np.average(p50, weights=weights)) ** 2, weights=weights))
        made = spread.between**2 / (spread.between**2 + spread.within**2)
        assert made == pytest.approx(between / (between + within), abs=0.03), field
