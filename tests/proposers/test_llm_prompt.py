"""What is sent: complete, bounded, and free of what a proposer must not know."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from proposers.llm_cases import BRIEF, PARENT, SOURCE, request
from proposers.llm_server import parent_of

from adrs.evaluation.interface import Interface
from adrs.proposers.base import Candidate, Request
from adrs.proposers.llm import prompt
from adrs.proposers.llm.calls import CHARS_PER_TOKEN
from adrs.proposers.llm.directions import DIRECTIONS, direction


def candidate(number: int, source: str, **changes: object) -> Candidate:
    base = Candidate(number, (3,), source, "llm-edit", "ok", 0.5 + number / 100)
    return replace(base, **changes)  # type: ignore[arg-type]


def text_of(asked: Request, tokens: int = 24_000) -> str:
    system, user = prompt.build(asked, tokens)
    assert (system["role"], user["role"]) == ("system", "user")
    return system["content"] + "\n" + user["content"]


def big(number: int, lines: int = 200) -> str:
    return SOURCE + "".join(f"\n\ndef helper_{number}_{i}(x):\n    return x * {i}\n" for i in range(lines))


def test_everything_that_is_known_of_the_parent_is_shown() -> None:
    text = text_of(request())
    for part in (
        BRIEF.title, BRIEF.description, BRIEF.interface.text.strip(), BRIEF.objective, SOURCE, "64 KB", "bisect, ",
        "## Current policy (candidate 3)", "Score: 0.5", "- latency: 12.25", "| calm | 0.4 | 0.9 |", "<<<<<<< SEARCH",
    ):  # fmt: skip
        assert part in text
    assert "$" not in text
    assert parent_of({"messages": prompt.build(request(), 24_000)}) == SOURCE


def test_workloads_furthest_from_their_bound_come_first_and_are_bounded() -> None:
    text = text_of(request())
    assert text.index("| calm |") < text.index("| burst |")
    scores = {f"w{i:03}": i / 1000 for i in range(100)}
    many = text_of(request(parent=replace(PARENT, scores=scores, bounds={})))
    assert "| w023 |" in many and "| w024 |" not in many and "| mean of 76 others | 0.0615 | |" in many


def test_relatives_are_shown_with_their_standing() -> None:
    better = candidate(7, SOURCE.replace("* 2", "* 4"), scores={"calm": 0.7, "burst": 0.5}, notes={"summary": "Weigh."})
    mate = candidate(8, SOURCE.replace("* 2", "* 5"))
    again = candidate(9, SOURCE.replace("* 2", "* 4"))
    text = text_of(request(mates=(mate,), inspirations=(better, again, candidate(10, SOURCE))))
    assert "### Candidate 7: score 0.57; better on calm (+0.3); worse on burst (-0.1)\nIdea: Weigh." in text
    assert text.index("### Candidate 8") < text.index("### Candidate 7")
    assert "### Candidate 9" not in text and "### Candidate 10" not in text  # the same texts again


def test_failures_are_shown_with_their_change_and_message() -> None:
    failed = candidate(
        12, SOURCE.replace("job * 2", "job / 0"), status="crash", score=None, error="ZeroDivisionError:\n  line 4"
    )
    elsewhere = candidate(13, "x = 1\n", status="timeout", score=None, error="CPU limit", parents=(9,))
    text = text_of(request(failures=(failed, elsewhere)))
    assert "### Candidate 12 ended as `crash`: ZeroDivisionError: line 4" in text
    assert "-        cost = job * 2 + 0.5\n+        cost = job / 0 + 0.5" in text
    assert "### Candidate 13 ended as `timeout`: CPU limit" in text and "x = 1" not in text


def test_a_relative_that_does_not_fit_is_shown_as_a_diff_then_as_a_line() -> None:
    parent = replace(PARENT, source=big(0))
    other = candidate(7, parent.source.replace("cost < least", "cost <= least"))
    asked = request(parent=parent, inspirations=(other,))
    bare = len(text_of(request(parent=parent))) / CHARS_PER_TOKEN
    whole, as_diff, line = (text_of(asked, int(bare + room)) for room in (5000, 500, 70))
    assert whole.count("def helper_0_199") == 2 and "```diff" not in whole
    assert as_diff.count("def helper_0_199") == 1 and "+        if cost <= least:" in as_diff
    assert "### Candidate 7: score" in line and "cost <= least" not in line


@pytest.mark.parametrize("tokens", [3000, 6000, 12_000, 24_000])
def test_the_prompt_keeps_to_its_budget(tokens: int) -> None:
    asked = request(
        brief=replace(BRIEF, description="A long story. " * 5000),
        inspirations=tuple(candidate(i, big(i, 60)) for i in range(10, 16)),
        failures=tuple(candidate(i, "x", status="crash", score=None, error="e" * 5000) for i in range(20, 25)),
    )
    text = text_of(asked, tokens)
    assert len(text) <= tokens * CHARS_PER_TOKEN + 200
    assert SOURCE in text and BRIEF.interface.text.strip() in text and "[the description goes on]" in text


def test_the_first_relative_is_worth_most() -> None:
    asked = request(inspirations=tuple(candidate(i, big(i, 80)) for i in range(10, 16)))
    text = text_of(asked, 4000)
    assert "def helper_10_79" in text and "def helper_15_79" not in text


def test_a_parent_larger_than_the_budget_is_still_whole() -> None:
    parent = replace(PARENT, source=big(0, 400))
    text = text_of(request(parent=parent, inspirations=(candidate(7, big(7)),)), 500)
    assert parent.source in text and "### Candidate 7" not in text


def test_backticks_in_a_source_do_not_end_its_fence() -> None:
    source = '"""Run as\n```\npick([1])\n```\n"""\n' + SOURCE
    messages = prompt.build(request(parent=replace(PARENT, source=source)), 24_000)
    assert parent_of({"messages": messages}) == source


def test_regions_and_data_classes_are_explained_where_there_are_any() -> None:
    assert "EVOLVE-BLOCK" not in text_of(request()) and "from `interface`" not in text_of(request())
    parent = replace(PARENT, source=f"# EVOLVE-BLOCK-START\n{SOURCE}# EVOLVE-BLOCK-END\n")
    assert "must stay exactly as they are" in text_of(request(parent=parent))
    typed = Interface.from_text("class Job:\n    size: float\n\ndef pick(jobs, now): ...\n")
    assert "data classes are imported from `interface`" in text_of(request(brief=replace(BRIEF, interface=typed)))


def test_prompts_depend_on_the_request_alone() -> None:
    assert prompt.build(request(slot=9), 24_000) == prompt.build(request(slot=9), 24_000)


def test_slots_ask_for_different_things() -> None:
    names = {direction(request(slot=slot)).name for slot in range(200)}
    with_others = {direction(request(slot=slot, inspirations=(PARENT,))).name for slot in range(200)}
    assert with_others == {choice.name for choice in DIRECTIONS}
    assert names == with_others - {"combine"}


def test_the_correction_quotes_the_reply_within_bounds() -> None:
    first = prompt.build(request(), 24_000)
    messages = prompt.correction(first, "r" * 500_000, "no $block applies")
    assert messages[:2] == first
    assert [message["role"] for message in messages[2:]] == ["assistant", "user"]
    assert len(messages[2]["content"]) < 25_000
    assert re.match(r"Your reply could not be used: no \$block applies\n", messages[3]["content"])
    assert prompt.correction(first, "", "why")[2]["content"] == "(empty)"
