"""Results as people see them, from real checks and verifications of a problem whose figures are known."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console
from support.guessing import EXACT, FAILS_ABOVE_9, PROBLEM, Guessing, off_by
from support.in_process import InProcessExecutor

from adrs.archive.records import LlmTotals
from adrs.assess import Verified
from adrs.evaluation.check import check_problem
from adrs.evaluation.score import score_file
from adrs.evaluation.verify import verify_policy
from adrs.printing.results import print_check, print_evaluation, print_result, print_verified
from adrs.printing.views import llm_spent
from adrs.session import Result
from adrs.winner import Winner


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert not any(line.endswith("  ") for line in text.splitlines())
    return text


def verified(source: str) -> Verified:
    result = asyncio.run(verify_policy(InProcessExecutor(Guessing()), PROBLEM, source, salt=1))
    return Verified(Path("runs/guessing"), 7, result, recorded=False)


def test_a_winner_stands_beside_seed_baselines_bound_and_regimes(console: Console) -> None:
    print_verified(console, verified(EXACT))
    text = printed(console)
    for expected in ("candidate", "salt 1, 24 clusters", "Off by half", "+0.5000", "yes", "familiar", "shifted"):
        assert expected in text
    assert "against Off by one (minimum effect 0.1): better; it beats the seed and every baseline" in " ".join(
        text.split()
    )
    assert "not recorded in the run" in text


def test_a_worse_one_and_one_that_fails_are_called_so(console: Console) -> None:
    print_verified(console, verified(off_by("3")))
    assert "worse" in printed(console) and "beats" not in printed(console)
    print_verified(console, verified(FAILS_ABOVE_9))
    assert "candidate: crash on" in printed(console) and "ZeroDivisionError" in printed(console)


def test_a_check_names_its_findings(console: Console) -> None:
    checked = asyncio.run(check_problem(InProcessExecutor(Guessing()), PROBLEM))
    print_check(console, checked, "guessing.yaml")
    assert "`adrs evolve guessing.yaml` begins a run" in printed(console)
    few = asyncio.run(check_problem(InProcessExecutor(Guessing(clusters=20)), PROBLEM))
    print_check(console, few, "guessing.yaml")
    assert "finding: the test split has 20 clusters" in printed(console)


def test_a_failing_policy_shows_where(console: Console, tmp_path: Path) -> None:
    (tmp_path / "policy.py").write_text("def guess(hint):\n    return 'x'\n")
    score = asyncio.run(score_file(InProcessExecutor(Guessing()), PROBLEM, tmp_path / "policy.py"))
    print_evaluation(console, score, "train")
    assert "wrong" in printed(console) and "guess returned 'x'" in printed(console)


@pytest.mark.parametrize(
    ("run", "expected"), [("runs/x", "adrs verify   how"), ("else/x", "adrs verify -r else/x   how")]
)
def test_a_session_ends_with_what_to_do_next(console: Console, run: str, expected: str) -> None:
    result = Result(
        Path(run), "near", "usd", 0.5, Winner(9, 0.75, 0.7), 1, {"ok": 2}, 0, LlmTotals(3, 4500, 1.25), 61.0
    )
    print_result(console, result)
    text = printed(console)
    assert "near: 1 candidate after 1 min 1 s, the budget of US dollars was reached" in text
    assert "3 calls, 4,500 tokens, 1.2500 US dollars" in text and "+0.2500" in text
    assert expected in text and "has seen these workloads" in text


def test_a_price_that_nobody_knows_is_not_0() -> None:
    assert llm_spent(LlmTotals(1, 4500, 0.0)) == "1 call, 4,500 tokens"
    assert llm_spent(LlmTotals(0, 0, 0.0)) is None
