"""The catalogue: what is found where, and what the list tells without importing an evaluator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adrs import catalogue
from adrs.catalogue import catalogue_root, domain_of, find_problem, list_problems
from adrs.errors import InputError
from adrs.problem_file import load_problem

BODY = "title: {title}\nevaluator: {evaluator}\nseed: a/seed.py\ndescription: d\nobjective: {{maximize: m}}\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "problems").mkdir()
    (tmp_path / "seeds/a").mkdir(parents=True)
    (tmp_path / "adrs").mkdir()
    texts = {
        "b_problem": "timed: true\n" + BODY.format(title="B", evaluator="evaluators.cloud.egress:Egress"),
        "a_problem": BODY.format(title="A", evaluator="evaluators.moe:Placement"),
    }
    for name, text in texts.items():
        (tmp_path / f"problems/{name}.yaml").write_text(f"name: {name}\n{text}")
    (tmp_path / "seeds/a/seed.py").write_text("x = 1\n")
    monkeypatch.setattr(catalogue, "PACKAGE", tmp_path / "adrs")
    return tmp_path


def test_the_list_is_sorted_and_complete(checkout: Path) -> None:
    entries = [(entry.name, entry.title, entry.domain, entry.timed) for entry in list_problems()]
    assert entries == [("a_problem", "A", "moe", False), ("b_problem", "B", "cloud", True)]


def test_an_installed_package_uses_its_own_copy(checkout: Path) -> None:
    installed = checkout / "adrs/_catalogue/problems"
    installed.mkdir(parents=True)
    (installed / "c_problem.yaml").write_text("name: c_problem\n" + BODY.format(title="C", evaluator="moe"))
    assert [entry.name for entry in list_problems()] == ["c_problem"]
    assert find_problem("c_problem") == installed / "c_problem.yaml"


def test_an_unknown_name_gets_the_closest(checkout: Path) -> None:
    with pytest.raises(InputError, match=r"a_problm: no such problem; did you mean `a_problem`\?"):
        find_problem("a_problm")


def test_an_empty_catalogue_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PACKAGE", tmp_path / "adrs")
    assert list_problems() == []
    with pytest.raises(InputError, match="the catalogue is empty"):
        find_problem("x")


def test_a_catalogue_problem_is_loaded_by_name_with_its_seed(checkout: Path) -> None:
    problem = load_problem("a_problem", ["evaluator=evaluators:Placement"])
    assert problem.seed == "x = 1\n"
    assert problem.path == checkout / "problems/a_problem.yaml"


@pytest.mark.parametrize(
    ("target", "domain"),
    [
        ("evaluators.moe:ExpertPlacement", "moe"),
        ("evaluators.serving.router:Router", "serving"),
        ("mine.sim:Sim", "mine"),
        ("jobs/evaluator.py:Dispatch", "evaluator"),
        ("my-entry-point", "my-entry-point"),
    ],
)
def test_the_domain_of_an_evaluator(target: str, domain: str) -> None:
    assert domain_of(target) == domain


@pytest.mark.parametrize("path", sorted((catalogue_root() / "problems").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_problem_is_valid_and_named_as_its_file(path: Path) -> None:
    problem = load_problem(path.stem)
    assert problem.name == path.stem
    assert problem.path == path


def test_listing_imports_no_evaluator() -> None:
    code = (
        "import sys; from adrs.catalogue import list_problems; list_problems(); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('evaluators', 'numpy', 'msgspec')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
