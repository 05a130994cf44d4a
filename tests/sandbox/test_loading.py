from __future__ import annotations

from pathlib import Path

import pytest

from adrs.evaluation.executor import EvaluatorSpec
from adrs.sandbox.loading import load_evaluator

EVALUATOR = """
from pathlib import Path
from adrs.evaluation.interface import Interface

class Shop:
    interface = Interface.from_text("def choose(now: float) -> int: ...")
"""


def test_the_fingerprint_of_a_package_covers_code_and_tables_of_all_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shop_with_tables"
    (package / "tables").mkdir(parents=True)
    (package / "__init__.py").write_text(EVALUATOR)
    table = package / "tables" / "prices.csv"
    table.write_text("1,2\n")
    monkeypatch.syspath_prepend(tmp_path)

    def fingerprint() -> str:
        return load_evaluator(EvaluatorSpec("shop_with_tables:Shop"))[1]

    first = fingerprint()
    assert fingerprint() == first
    table.write_text("1,3\n")
    assert fingerprint() != first
    table.write_text("1,2\n")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "left_over.pyc").write_bytes(b"anything")
    assert fingerprint() == first
