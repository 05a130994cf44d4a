"""Generated traffic beside the recorded traffic that it is calibrated with.

    python benchmarks/serving_traffic.py

Published figures are those of the sources that docs/serving_traffic.md names. Where a recorded trace is at hand
(`adrs data get NAME`, or ADRS_DATA), a line of its own is computed from the file. Generated lines are medians over 12
hours of traffic with seeds 0 to 11; single hours of bursty traffic differ by a factor of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from adrs.public_data import find
from adrs.public_data.store import locate
from evaluators.serving.request import Request
from evaluators.serving.traffic import azure, burstgpt, servegen, sessions
from evaluators.serving.traffic.agent_profiles import CODING, MINI_SWE, TEAM
from evaluators.serving.traffic.agents import AgentProfile, generate
from evaluators.serving.traffic.loaders import load
from evaluators.serving.traffic.summary import Summary, summarise

SEEDS = range(12)
SECONDS = 3500.0
RATE = 20.0  # requests a second of traffic whose source has any
HEADER = (
    "               rate  gap CV   IoD 1/10/60 s    peak    prompt mean/p50/p90/p99   answer mean/p50/p90/p99    reuse"
)


@dataclass(frozen=True)
class Published:
    """Figures of a source; None where it has none."""

    rate: float | None
    gap_cv: float | None
    dispersion: Sequence[float] | None
    peak: float | None
    prompts: Sequence[float]
    answers: Sequence[float]
    reuse: float | None


TRAFFIC = {
    "azure-conversation": (
        azure.CONVERSATION, "azure-llm-2023-conv",
        Published(5.53, 1.09, (1.4, 3.9, 16.1), 2.9, (1155, 1020, 2735, 4142), (211, 129, 424, 601), None),
    ),
    "azure-code": (
        azure.CODE, "azure-llm-2023-code",
        Published(2.57, 13.2, (13, 71, 161), 26, (2048, 1469, 5188, 7436), (28, 13, 55, 252), None),
    ),
    "mooncake-conversation": (
        sessions.CONVERSATION, "mooncake-conversation",
        Published(3.40, None, None, None, (12035, 6909, 27367, 85400), (343, 350, 597, 1119), 0.366),
    ),
    "burstgpt": (burstgpt.BURSTGPT, None, None),
    "servegen-m-large": (
        servegen.LARGE, None, Published(None, None, None, None, (973, 654, 2355, 5435), (160, 67, 458, 934), None),
    ),
    "servegen-m-mid": (
        servegen.MID, None, Published(None, None, None, None, (301, 172, 522, 3024), (52, 36, 93, 341), None),
    ),
    "servegen-m-small": (
        servegen.SMALL, None, Published(None, None, None, None, (128, 39, 336, 1490), (18, 3, 57, 169), None),
    ),
    "servegen-r1": (
        servegen.REASONING, None,
        Published(None, None, None, None, (1596, 266, 3294, 25753), (1690, 807, 4165, 13533), None),
    ),
}  # fmt: skip


def main() -> None:
    print(HEADER)
    for name, (traffic, data_set, published) in TRAFFIC.items():
        print(name)
        if published is not None:
            print_published(published)
        if data_set is not None and (copy := locate(find(data_set))) is not None:
            print_line("recorded", figures(summarise(load(copy.path))))
        rate = (published.rate if published is not None else None) or RATE
        print_line("generated", median(traffic.requests(rate, seed, seconds=SECONDS) for seed in SEEDS))
    print("\n              calls p50/p90   prompt mean/p50/p90      new p50/p90    answer p50/p90     gap p50/p90/p99")
    for profile, published_figures in AGENTS.items():
        print(profile)
        print_agents("published", published_figures)
        print_agents("generated", agent_figures(PROFILES[profile]))


def median(hours: Iterator[Iterator[Request]]) -> list[float]:
    """Of each figure over the hours."""
    values: list[float] = np.median([figures(summarise(hour)) for hour in hours], axis=0).tolist()
    return values


def figures(one: Summary) -> list[float]:
    """In the order of the columns."""
    prompts, answers = ([part.mean, part.p50, part.p90, part.p99] for part in (one.prompts, one.answers))
    return [one.rate, one.gap_cv, *one.dispersion, one.peak, *prompts, *answers, one.reuse]


def print_published(one: Published) -> None:
    """With dashes where there is no figure."""
    missing = float("nan")
    dispersion = one.dispersion or (missing,) * 3
    rate, cv, peak, reuse = (
        missing if value is None else value for value in (one.rate, one.gap_cv, one.peak, one.reuse)
    )
    print_line("published", [rate, cv, *dispersion, peak, *one.prompts, *one.answers, reuse])


def print_line(label: str, values: Sequence[float]) -> None:
    rate, cv, *rest = values
    dispersion, peak, prompts, answers, reuse = rest[:3], rest[3], rest[4:8], rest[8:12], rest[12]
    print(
        f"  {label:<10}{shown(rate, 2):>7} {shown(cv, 2):>7}   {slashed(dispersion, 1):<16}{shown(peak, 1):>5}"
        f"    {slashed(prompts, 0):<26}{slashed(answers, 0):<24}{shown(reuse, 3):>8}"
    )


def slashed(values: Sequence[float], digits: int) -> str:
    return "/".join(shown(value, digits) for value in values)


def shown(value: float, digits: int) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


PROFILES = {"coding": CODING, "mini-swe": MINI_SWE, "team": TEAM}
NO = float("nan")
# Calls p50, p90; prompt mean, p50, p90; new tokens p50, p90; answer p50, p90; gap after a tool p50, p90, p99.
AGENTS = {
    "coding": [45, 155, 122_000, 104_000, 234_000, 713, 4206, 216, 898, 9, 71, 611],
    "mini-swe": [22, 30, NO, NO, NO, 28, 920, 98, 191, 1.3, 3.9, NO],
    "team": [33, NO, NO, 1190, 6450, NO, NO, 377, 560, 6.4, 12.3, NO],
}


def agent_figures(profile: AgentProfile) -> list[float]:
    """In the order of AGENTS, over 1,000 sessions."""
    sessions = [session.turns for session in generate(profile, 1.0, seed=0, count=1000)]
    turns = [turn for session in sessions for turn in session]
    prompts = [turn.prompt_tokens for turn in turns]
    gaps = [turn.gap for turn in turns if turn.tool not in ("", "user")]
    return [
        *np.quantile([len(session) for session in sessions], [0.5, 0.9]),
        float(np.mean(prompts)), *np.quantile(prompts, [0.5, 0.9]),
        *np.quantile([turn.new_tokens for session in sessions for turn in session[1:]], [0.5, 0.9]),
        *np.quantile([turn.output_tokens for turn in turns], [0.5, 0.9]),
        *np.quantile(gaps, [0.5, 0.9, 0.99]),
    ]  # fmt: skip


def print_agents(label: str, values: Sequence[float]) -> None:
    print(
        f"  {label:<12}{slashed(values[:2], 0):<16}{slashed(values[2:5], 0):<25}{slashed(values[5:7], 0):<15}"
        f"{slashed(values[7:9], 0):<19}{slashed(values[9:], 1)}"
    )


if __name__ == "__main__":
    main()
