"""Whole proposals: pure, mostly valid, within bounds, and good enough for a plain hill climb."""

import random
from dataclasses import replace

import pytest
from policies.arena import ARENAS, Arena, Refused

from adrs.evaluation.interface import Interface
from adrs.proposers.base import Candidate
from adrs.proposers.offline.adaptation import Adaptation
from adrs.proposers.offline.check import objection
from adrs.proposers.offline.mutate import Result, Task, mutate
from adrs.proposers.regions import Regions

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of children that divide by zero
SLOW = pytest.mark.slow
ARENA = {arena.name: arena for arena in ARENAS}


def task(arena: Arena, seed: int, *mates: str, source: str | None = None) -> Task:
    return Task(source or arena.seed, mates, arena.interface, 64, seed)


def test_a_proposal_depends_on_its_task_alone() -> None:
    arena = ARENA["batching"]
    tasks = [task(arena, seed, ARENA["batching"].seed.replace("0.9", "0.7")) for seed in range(12)]
    first = [mutate(t) for t in tasks]
    random.seed(99)
    again = {seed: mutate(tasks[seed]) for seed in reversed(range(12))}
    assert [again[seed] for seed in range(12)] == first
    assert len({result.source for result in first}) > 8


@pytest.mark.parametrize("arena", ARENAS, ids=lambda arena: arena.name)
def test_most_children_run_and_many_behave_differently(arena: Arena) -> None:
    _, behaviour = arena.evaluate(arena.seed)
    runs = changed = 0
    for seed in range(40):
        result = mutate(task(arena, seed))
        assert result.source is not None
        assert 1 <= len(result.changes) <= 3
        try:
            _, new = arena.evaluate(result.source)
        except Exception:  # a candidate may raise anything
            continue
        runs += 1
        changed += new != behaviour
    assert runs >= 0.7 * 40
    assert changed >= 0.3 * 40


def climb(arena: Arena, proposals: int, seed: int) -> tuple[float, float]:
    """Hill climbing that accepts equals, with adaptation. Returns the scores of the first and the last policy."""
    adaptation = Adaptation()
    source = arena.seed
    start = best = arena.evaluate(source)[0]
    previous = source
    for slot in range(proposals):
        hints = adaptation.hints()
        key = random.Random(f"{seed}:{slot}").getrandbits(63)
        result = mutate(
            replace(task(arena, key, previous, source=source), weights=hints["weights"], steps=hints["steps"])
        )
        score = _score(arena, result)
        adaptation.observe(_candidate(slot, result, score, best))
        if score is not None and score >= best and result.source is not None:
            previous, source, best = source, result.source, score
    return start, best


def _score(arena: Arena, result: Result) -> float | None:
    if result.source is None:
        return None
    try:
        return arena.evaluate(result.source)[0]
    except Exception:  # a candidate may raise anything
        return None


def _candidate(slot: int, result: Result, score: float | None, parent_score: float) -> Candidate:
    changes = [{"operator": c.operator, "note": c.note, "step": c.step} for c in result.changes]
    status = "ok" if score is not None else "crash"
    return Candidate(slot, (), "", "", status, score, notes={"changes": changes}, parent_score=parent_score)


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("batching", 1.0),
        ("packing", 1.5),
        pytest.param("moe", 0.04, marks=SLOW),
        pytest.param("caching", 0.05, marks=SLOW),
    ],
)
def test_a_hill_climb_mends_a_mistuned_seed(name: str, gain: float) -> None:
    start, best = climb(ARENA[name], 60, seed=2)
    assert best >= start + gain, (start, best)


MARKED = """import numpy as np

LIMIT = 5.0


def capacity(load, num_gpus):
    return len(load) // num_gpus + 1.5


# EVOLVE-BLOCK-START
SHARE = 0.5


def place(weight, num_replicas, num_gpus):
    load = weight * SHARE
    order = np.argsort(-load, axis=1)
    return order[:, :num_replicas]


# EVOLVE-BLOCK-END
def unused(load):
    return load * 2.0 + LIMIT
"""


def test_only_what_lies_between_the_markers_changes() -> None:
    interface = ARENA["moe"].interface
    regions = Regions.of(MARKED)
    assert regions is not None
    mate = MARKED.replace("* SHARE", "** other(weight)").replace(
        "# EVOLVE-BLOCK-END\n", "def other(weight):\n    return 0.25 * weight.mean()\n\n\n# EVOLVE-BLOCK-END\n"
    )
    children = [mutate(Task(MARKED, (mate,), interface, 64, seed)) for seed in range(40)]
    assert all(child.source is not None and regions.same_outside(child.source) for child in children)
    operators = {change.operator for child in children for change in child.changes}
    assert len(operators) >= 8
    assert any("_recent_weight" in (child.source or "") for child in children), "state fits into the region, too"


def test_a_source_with_nothing_to_change_gives_no_child() -> None:
    interface = Interface.from_text("def plan(load): ...")
    result = mutate(Task("def plan(load):\n    pass\n", (), interface, 64, 1))
    assert result.source is None
    assert "no operator finds a place" in result.error


def test_a_child_never_passes_the_size_limit() -> None:
    arena = ARENA["caching"]
    kb = len(arena.seed.encode()) // 1024 + 1
    for seed in range(20):
        source = mutate(replace(task(arena, seed), source_kb=kb)).source
        assert source is not None and len(source.encode()) <= kb * 1024


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def plan(load):\n    return load + 1\n", "unchanged"),
        ('def plan(load):\n    """New docs."""\n    return (load + 1)\n', "unchanged"),
        ("def plan(load):\n    return load +\n", "does not parse"),
        ("def plan(load):\n    return 2\nreturn 3\n", "does not parse"),
        ("def plan(load):\n    return other + 1\n", "undefined name other"),
        ("def plam(load):\n    return load\n", "lacks plan"),
        ("def plan(load):\n    return load + 1\n" + "#" * 2000, "too large"),
        ("def plan(load):\n    return [load for load in range(len(str(load)))]\n", ""),
    ],
)
def test_static_checks(source: str, expected: str) -> None:
    interface = Interface.from_text("def plan(load): ...")
    found = objection(source, "def plan(load):\n    return load + 1\n", interface, 1)
    assert found.startswith(expected) and bool(found) == bool(expected)


def test_the_arenas_refuse_wrong_answers() -> None:
    source = ARENA["packing"].seed.replace("return int(best)", "return 7")
    with pytest.raises(Refused, match="host 7"):
        ARENA["packing"].evaluate(source)
