"""problem.yaml: what a valid one becomes, and that each mistake is one line that names its place and the mend."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adrs.errors import InputError
from adrs.evaluation.outcome import Inspection, Limits
from adrs.problem import Budget, Feature, Search, Verify
from adrs.problem_file import check_seed, from_snapshot, load_problem, problem_hash, snapshot

VALID = """\
name: queue
title: A queue
description: notes.md
evaluator: simulator.py:Queue
options: {sizes: [1, 2], label: 2024-01-01}
seed: queue/fifo.py
baselines: {Shortest first: queue/sjf.py}
objective: {minimize: wait, aggregate: worst}
limits: {cpu_seconds: 3, memory_mb: 512}
search: {strategy: topk, features: [{name: wait, low: 0, high: 9.5, bins: 5}]}
budget: {candidates: 30, usd: 0.5}
verify: {comparator: Shortest first, minimum_effect: 1e-3, clusters: 21}
timed: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue/fifo.py").write_text("def pick(queue):\n    return 0\n")
    (tmp_path / "queue/sjf.py").write_text("def pick(queue):\n    return queue.index(min(queue))\n")
    (tmp_path / "notes.md").write_text("Pick the next job.\n")
    (tmp_path / "simulator.py").write_text("class Queue:\n    pass\n")
    (tmp_path / "queue.yaml").write_text(VALID)
    return tmp_path


def load(folder: Path, text: str = VALID, *overrides: str):
    (folder / "queue.yaml").write_text(text)
    return load_problem(folder / "queue.yaml", overrides)


def mistake(folder: Path, text: str = VALID, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_valid_problem_is_read_in_full(folder: Path) -> None:
    problem = load(folder)
    assert problem.name == "queue"
    assert problem.description == "Pick the next job.\n"
    assert problem.evaluator.target == f"{folder.resolve()}/simulator.py:Queue"
    assert problem.options == {"sizes": [1, 2], "label": "2024-01-01"}
    assert problem.seed == "def pick(queue):\n    return 0\n"
    assert list(problem.baselines) == ["Shortest first"]
    assert problem.objective.score({"wait": 2.0}) == -2.0
    assert problem.objective.combine([-1.0, -3.0]) == -3.0
    assert problem.limits == Limits(cpu_seconds=3.0, memory_mb=512)
    assert problem.search == Search("topk", features=(Feature("wait", 0.0, 9.5, 5),))
    assert problem.budget == Budget(candidates=30, usd=0.5)
    assert problem.verify == Verify("Shortest first", 0.001, 21)
    assert problem.timed
    assert problem.path == folder / "queue.yaml"
    assert problem.files["Shortest first"] == str(folder / "queue/sjf.py")


def test_optional_fields_have_defaults(folder: Path) -> None:
    required = ("name", "title", "description", "evaluator", "seed", "objective")
    text = "".join(f"{line}\n" for line in VALID.splitlines() if line.split(":")[0] in required)
    problem = load(folder, text + "limits:\nbudget: {minutes: null}\n")
    assert (problem.limits, problem.search, problem.budget, problem.verify) == (Limits(), Search(), Budget(), Verify())
    assert not problem.timed
    assert problem.options == {}


def test_description_may_stand_in_the_file(folder: Path) -> None:
    text = VALID.replace("description: notes.md", "description: Pick the next job of notes.md")
    assert load(folder, text).description == "Pick the next job of notes.md"


def test_policies_are_found_in_the_catalogue_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder / "elsewhere"
    (root / "common").mkdir(parents=True)
    (root / "common/lifo.py").write_text("def pick(queue):\n    return -1\n")
    monkeypatch.setattr("adrs.problem_file.seeds_root", lambda: root)
    assert load(folder, VALID.replace("queue/fifo.py", "common/lifo.py")).seed.endswith("-1\n")


MISTAKES = [
    ("sead: x.py\n" + VALID, "queue.yaml:1: sead: unknown field; did you mean `seed`?"),
    (VALID.replace("cpu_seconds", "cpu_second"), "queue.yaml:9: limits.cpu_second: unknown field; did you mean `cpu_s"),
    (VALID.replace("low: 0", "lo: 0"), "queue.yaml:10: search.features[0].lo: unknown field; did you mean `low`?"),
    (VALID.replace("title: A queue\n", ""), "the field `title` is missing; expected one line for people"),
    (VALID.replace("title: A queue", "title:"), "queue.yaml:2: title: the field `title` is missing"),
    (VALID.replace("title: A queue", "title: [a]"), "queue.yaml:2: title: expected one line for people, not a list"),
    (VALID + "title: Again\n", "queue.yaml:14: title: given twice; the first is at queue.yaml:2, remove one"),
    (VALID.replace("queue\n", "a queue\n", 1), "queue.yaml:1: name: `a queue` has other characters than letters"),
    (VALID.replace("timed: true", "timed: 1"), "queue.yaml:13: timed: expected true or false, not the number 1"),
    (VALID.replace("notes.md", "note.md"), "queue.yaml:3: description: no file `note.md` in"),
    (VALID.replace("queue/fifo.py", "fifo.py"), "queue.yaml:6: seed: no file `fifo.py` in"),
    (VALID.replace("queue/fifo.py", "7"), "queue.yaml:6: seed: expected the path of a file, not the number 7"),
    (VALID.replace("queue/sjf.py", "sjf.py"), "queue.yaml:7: baselines.Shortest first: no file `sjf.py` in"),
    (VALID.replace("{Shortest first:", "{seed:"), "queue.yaml:7: baselines.seed: `seed` always stands for the seed"),
    (VALID.replace("{Shortest first:", "{1:"), "queue.yaml:7: baselines: the key `1` is not text; put it in quotes"),
    (VALID.replace("simulator.py:Queue", "simulator.py"), "queue.yaml:4: evaluator: no entry point `simulator.py`"),
    (VALID.replace("simulator.py:Queue", "simulator.py:Q-1"), "queue.yaml:4: evaluator: `Q-1` is no class name"),
    (VALID.replace("simulator.py:Queue", "simulator.py:Queues"), "has no class `Queues`; did you mean `Queue`?"),
    (VALID.replace("simulator.py:Queue", "simulator.py:np"), "has no class `np`; expected one of: Queue"),
    (VALID.replace("simulator.py:Queue", "simulato.py:Queue"), "queue.yaml:4: evaluator: no file `simulato.py` in"),
    (VALID.replace("simulator.py:Queue", "a-b:Queue"), "queue.yaml:4: evaluator: `a-b` is no module; expected"),
    (VALID.replace("simulator.py:Queue", "adrs.no.such:Q"), "queue.yaml:4: evaluator: no module `adrs.no.such` can be"),
    (VALID.replace("[1, 2]", ".nan"), "queue.yaml:5: options: an option is not a finite number"),
    (VALID.replace("[1, 2]", "!!binary aGk="), "queue.yaml:5: options.sizes: `aGk=` is neither text nor a number"),
    (
        VALID.replace("minimize: wait, ", ""),
        "queue.yaml:8: objective: expected either `maximize` or `minimize`, not ne",
    ),
    (VALID.replace("minimize:", "maximize: a, minimize:"), "not maximize and minimize"),
    (VALID.replace("worst", "best"), "queue.yaml:8: objective.aggregate: `best` is unknown; "),
    (
        VALID.replace("cpu_seconds: 3", "cpu_seconds: -3"),
        "limits.cpu_seconds: expected a number of CPU seconds above 0",
    ),
    (
        VALID.replace("cpu_seconds: 3", "cpu_seconds: .inf"),
        "queue.yaml:9: limits.cpu_seconds: expected a number of CPU",
    ),
    (VALID.replace("cpu_seconds: 3", "cpu_seconds: '3'"), "CPU seconds above 0, not text"),
    (VALID.replace("memory_mb: 512", "memory_mb: 5.5"), "limits.memory_mb: expected a whole number from 1, not 5.5"),
    (VALID.replace("memory_mb: 512", "memory_mb: true"), "expected a whole number from 1, not true or false"),
    (VALID.replace("topk", "island"), "queue.yaml:10: search.strategy: `island` is unknown; did you mean `islands`?"),
    (VALID.replace("high: 9.5", "high: 0"), "search.features[0]: `low` must be below `high`, and 0.0 is not below 0.0"),
    (VALID.replace("candidates: 30", "candidates: 0"), "queue.yaml:11: budget.candidates: expected a whole number fr"),
    (VALID.replace("usd: 0.5", "usd: -1"), "queue.yaml:11: budget.usd: expected a number above 0, not -1"),
    (VALID.replace("Shortest first, m", "Shortest, m"), "`Shortest` is unknown; did you mean `Shortest first`?"),
    (VALID.replace("clusters: 21", "clusters: 8"), "verify.clusters: expected a whole number from 20, not 8"),
    (
        VALID.replace("limits: {", "limits: [").replace("512}", "512]"),
        "limits: expected a mapping with some of cpu_sec",
    ),
    (VALID + "limit\n", "queue.yaml:15: not valid YAML: could not find expected ':'"),
    (VALID + "x: \x07\n", "queue.yaml:14: not valid YAML: special characters are not allowed (character 7)"),
    (VALID + "---\nname: b\n", "queue.yaml:14: not valid YAML: "),
    ("", "queue.yaml: the file is empty; expected a problem, `adrs init NAME` writes a working one"),
    ("# nothing\n", "queue.yaml: the file is empty"),
    ("- name\n", "queue.yaml:1: expected `key: value` lines, not a list"),
    ("name: &a [*a]\n", "nested more than 32 deep; does an alias contain itself?"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[expected[:40] for _, expected in MISTAKES])
def test_a_mistake_is_one_line_with_place_and_mend(folder: Path, text: str, expected: str) -> None:
    assert expected in mistake(folder, text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(VALID) - 1),
    length=st.integers(0, 12),
    put=st.text(st.sampled_from("{}[]:,-?!&*#|>'\"%@`~\\ \n\ttrue0.e9é\x00\u2028<="), max_size=6),
)
def test_a_damaged_file_never_ends_in_a_traceback(folder: Path, at: int, length: int, put: str) -> None:
    try:
        load(folder, VALID[:at] + put + VALID[at + length :])
    except InputError as error:
        assert len(str(error).splitlines()) == 1


def test_unreadable_files(folder: Path) -> None:
    (folder / "queue.yaml").write_bytes(b"name: a\ntitle: \xff\n")
    with pytest.raises(InputError, match=r"queue\.yaml:2: the problem is not UTF-8 text"):
        load_problem(folder / "queue.yaml")
    with pytest.raises(InputError, match=r"missing\.yaml: cannot read the problem: No such file"):
        load_problem(folder / "missing.yaml")
    with pytest.raises(InputError, match="is a folder"):
        load_problem(folder)
    (folder / "queue/fifo.py").write_text("")
    assert "queue.yaml:6: seed: the file queue/fifo.py is empty" in mistake(folder)
    (folder / "queue/fifo.py").write_bytes(b"# \xe9\n")
    assert "queue/fifo.py:1: the policy is not UTF-8" in mistake(folder)


def test_an_evaluator_file_that_does_not_parse(folder: Path) -> None:
    (folder / "simulator.py").write_text("\nclass Queue\n")
    assert mistake(folder).startswith("simulator.py:2: the evaluator does not parse: ")


def test_an_unknown_catalogue_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no_such_problem: no such problem; "):
        load_problem("no_such_problem")


def test_overrides_replace_add_and_are_yaml(folder: Path) -> None:
    problem = load(
        folder, VALID, "search.strategy=best_of_n", "limits.call_seconds=1e-1", "options.sizes=[3]", "budget.usd=null"
    )
    assert problem.search.strategy == "best_of_n"
    assert problem.limits == Limits(cpu_seconds=3.0, call_seconds=0.1, memory_mb=512)
    assert problem.options["sizes"] == [3]
    assert problem.budget == Budget(candidates=30)


def test_overrides_are_kept_so_that_the_file_can_be_read_again(folder: Path) -> None:
    problem = load(folder, VALID, "seed=queue/sjf.py", "budget.candidates=5")
    assert problem.path is not None
    assert load_problem(problem.path, problem.overrides) == problem


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("search.strateg=topk", "--set search.strateg=topk: search.strateg: unknown field; did you mean `strategy`?"),
        ("limits.cpu_seconds=fast", "--set limits.cpu_seconds=fast: limits.cpu_seconds: expected a number of CPU sec"),
        ("limits.cpu_seconds", "--set limits.cpu_seconds: expected key=value with a dotted key"),
        ("=3", "--set =3: expected key=value"),
        ("limits..x=3", "--set limits..x=3: expected key=value"),
        ("title.x=3", "--set title.x=3: `title` is text in queue.yaml:2, it has no fields to set"),
        ("options.sizes=[1", "--set options.sizes=[1: not valid YAML: "),
        ("seed=gone.py", "--set seed=gone.py: seed: no file `gone.py` in"),
        ("title=", "--set title=: title: the field `title` is missing"),
    ],
)
def test_a_wrong_override_is_named(folder: Path, assignment: str, expected: str) -> None:
    assert mistake(folder, VALID, assignment).startswith(expected)


def test_snapshot_round_trips_exactly(folder: Path) -> None:
    problem = load(folder, VALID, "limits.cpu_seconds=0.1", "title=Schlange ☃")
    assert from_snapshot(snapshot(problem)) == problem
    assert json.loads(snapshot(problem))["name"] == "queue"
    without = replace(problem, path=None, budget=Budget(minutes=0.3))
    assert from_snapshot(snapshot(without)) == without


def test_a_foreign_snapshot_is_refused() -> None:
    with pytest.raises(InputError, match="stored problem"):
        from_snapshot('{"name": "queue"}')


def test_the_hash_follows_what_defines_the_problem(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    first = load(folder)
    assert len(problem_hash(first)) == 16
    assert problem_hash(load(folder, VALID, "budget.candidates=99")) == problem_hash(first)
    for change in ("limits.cpu_seconds=4", "objective.aggregate=mean", "options.sizes=[3]", "seed=queue/sjf.py"):
        assert problem_hash(load(folder, VALID, change)) != problem_hash(first)
    moved = tmp_path_factory.mktemp("moved") / "copy"
    load(folder)
    folder.rename(moved)
    assert problem_hash(load_problem(moved / "queue.yaml")) == problem_hash(first)


class Refusing:
    """An executor that knows one thing: which text lacks the interface."""

    async def inspect(self, source: str) -> Inspection:
        if "min(" in source:
            return Inspection("invalid", error="it does not define `choose`")
        return Inspection("ok")


def test_a_policy_without_the_interface_is_named_by_its_file(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        asyncio.run(check_seed(Refusing(), load(folder)))
    place = f"{folder}/queue/sjf.py: the policy named by `baselines.Shortest first` cannot be used: "
    assert str(caught.value) == place + "it does not define `choose`"
