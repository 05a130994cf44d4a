"""The evolved policies in the documentation score what its table says."""

from __future__ import annotations

import re

import pytest
from support.cli import ROOT, adrs

EVOLVED = ROOT / "docs" / "problems" / "evolved"
TABLE = dict(re.findall(r"^\| `(\w+)\.py` \|[^|]*\| ([\d.]+) \|", (EVOLVED / "README.md").read_text(), re.M))


def test_every_file_is_in_the_table() -> None:
    assert sorted(TABLE) == sorted(path.stem for path in EVOLVED.glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("problem", TABLE)
def test_scores_on_train_are_those_of_the_table(problem: str) -> None:
    """Loosely, as most of them solve linear equations, whose last digits differ from one machine to another."""
    result = adrs("evaluate", problem, EVOLVED / f"{problem}.py", "--json", cwd=ROOT).document
    assert result["status"] == "ok"
    assert result["score"] == pytest.approx(float(TABLE[problem]), abs=0.02)
