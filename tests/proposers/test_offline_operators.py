"""Each operator on a small program: what it may do, and that it leaves the rest as it was."""

import ast
import difflib
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from adrs.evaluation.interface import Interface
from adrs.proposers.offline.check import objection
from adrs.proposers.offline.numbers import constant_class, moved
from adrs.proposers.offline.operators import OPERATORS, Context
from adrs.proposers.offline.program import parse

INTERFACE = Interface.from_text('''
import numpy as np

def plan(load: np.ndarray, num_gpus: int, old: np.ndarray | None = None) -> np.ndarray:
    """Plan.

    Args:
        load: float64 [experts].
    """
''')

SOURCE = '''"""A policy."""
import numpy as np

WEIGHT = 0.5   # share of the newest
LIMITS = [ 4,
           8 ]                      # laid out by hand


def plan(load, num_gpus, old=None):
    """Plan."""
    totals  =  np.zeros(num_gpus)   # per device

    if old is not None:
        load = load * WEIGHT
    else:
        load = load + 1.0
    placed = []
    # heaviest first
    for expert in np.argsort( -load ):
        gpu = int(np.argmin(totals + 0.25 * load.mean()))
        if totals[gpu] > 100.0 and len(placed) > 3:
            totals[gpu] -= 1.0
        totals[gpu] += load[expert]
        placed.append((gpu, expert))
    placed.sort(key=lambda pair: (pair[0], -pair[1]))
    for _ in range(num_gpus):
        totals = totals / 2.0
    return np.array([gpu for gpu, _ in placed[:3]])
'''

MATE = (
    SOURCE.replace("return np.array([gpu", "penalty = rank(load)\n    return np.array([gpu").replace(
        "0.25 * load.mean()", "np.sqrt(load.max()) * 0.125"
    )
    + """

def rank(values):
    return SCALE * values


SCALE = 2.0
"""
)


def edits(name: str, source: str = SOURCE, mates: Sequence[str] = (MATE,), count: int = 24) -> list[str]:
    """What an operator makes of a source under many generators."""
    program = parse(source, INTERFACE)
    found = []
    for seed in range(count):
        edit = OPERATORS[name].apply(Context(program, random.Random(seed), {}, mates))
        if edit is not None:
            found.append(edit.module.code)
    return found


def function(source: str) -> Callable[..., np.ndarray]:
    namespace: dict[str, Callable[..., np.ndarray]] = {}
    exec(source, namespace)
    return namespace["plan"]


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [x[2:] for x in lines if x[0] == "-"], [x[2:] for x in lines if x[0] == "+"]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_finds_a_place_and_writes_python(name: str) -> None:
    children = edits(name)
    assert len(children) >= 8
    assert len(set(children)) > 1 or name == "crossover-function", "the mate has one other function"
    for child in children:
        ast.parse(child)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_leaves_nearly_all_lines_as_they_were(name: str) -> None:
    for child in edits(name, count=15):
        removed, added = changed_lines(SOURCE, child)
        assert len(removed) <= 12 and len(added) <= 18, "\n".join(removed + added)
        assert child.count("laid out by hand") == 1
        assert "LIMITS = [" in child


@pytest.mark.parametrize(
    "name", ["constant", "comparison", "function", "grow", "replace", "shrink", "direction", "key"]
)
def test_changes_of_expressions_touch_one_line(name: str) -> None:
    for child in edits(name):
        removed, added = changed_lines(SOURCE, child)
        assert len(removed) == len(added) == 1


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "forecast"])
def test_an_operator_with_nothing_to_do_says_so(name: str) -> None:
    assert edits(name, "def plan(load, num_gpus, old=None):\n    pass\n", mates=(), count=5) == []


def test_ints_stay_ints_and_floats_stay_floats() -> None:
    rng = random.Random(1)
    for value in (0, 1, 7, 1000):
        results = {ast.literal_eval(moved(value, 0.4, rng)) for _ in range(50)}
        assert all(type(result) is int and result >= 0 for result in results)
        assert value not in results
    for value in (0.0, 0.5, 0.99, 1.0, 1e-9, 250.0):
        results = {ast.literal_eval(moved(value, 0.4, rng)) for _ in range(50)}
        assert all(type(result) is float for result in results)
        assert value not in results


def test_a_probability_stays_one() -> None:
    rng = random.Random(1)
    assert all(0.0 < float(moved(0.97, 1.0, rng)) < 1.0 for _ in range(200))


def test_classes_of_constants() -> None:
    assert [constant_class(value) for value in (3, 0.3, 1.0, 2.5, -0.5)] == ["int", "unit", "unit", "float", "float"]


def test_true_and_false_are_not_constants() -> None:
    source = "def plan(load, num_gpus, old=None):\n    return sorted(load, reverse=True)\n"
    assert edits("constant", source) == []


def test_a_longer_step_size_makes_longer_steps() -> None:
    def spread(sigma: float) -> float:
        rng = random.Random(2)
        return sum(abs(float(moved(10.0, sigma, rng)) - 10.0) for _ in range(200))

    assert spread(0.05) < spread(0.3) < spread(1.0)


def test_delete_keeps_the_only_definition_of_a_name_that_is_read() -> None:
    for child in edits("delete", count=50):
        assert "totals  =  np.zeros(num_gpus)" in child
        assert "placed = []" in child


def test_delete_never_empties_a_block() -> None:
    source = "def plan(load, num_gpus, old=None):\n    if num_gpus > 2:\n        load += 1\n    return load\n"
    children = edits("delete", source)
    assert children
    for child in children:
        assert "if num_gpus > 2:" not in child


def test_reorder_swaps_neighbours_whose_order_matters() -> None:
    source = "def plan(load, num_gpus, old=None):\n    a = 1\n    b = 2\n    a = a + b\n    a = a * 2\n    return a\n"
    assert set(edits("reorder", source)) == {
        source.replace("    a = a + b\n    a = a * 2\n", "    a = a * 2\n    a = a + b\n")
    }


def test_guard_does_not_hide_a_definition() -> None:
    for child in edits("guard", count=50):
        tree = ast.parse(child)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and not node.orelse:
                bound = {
                    n.targets[0].id
                    for n in node.body
                    if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
                }
                assert not bound & {"placed", "gpu"}


def test_growth_uses_only_names_in_scope() -> None:
    for name in ("grow", "replace", "adjust", "guard", "condition", "leave", "key"):
        for child in edits(name, count=20):
            assert objection(child, SOURCE, INTERFACE, 64) in ("", "unchanged")


def test_a_forecast_blends_with_the_last_call_and_starts_with_the_first_input() -> None:
    source = "import numpy as np\n\n\ndef plan(load, num_gpus, old=None):\n    return load\n"
    later = set()
    for child in edits("forecast", source):
        plan = function(child)
        assert plan(np.array([1.0, 3.0]), 2).tolist() == [1.0, 3.0], "without a past, the input is passed on"
        assert plan(np.array([1.0, 3.0, 9.0]), 2).tolist() == [1.0, 3.0, 9.0], "each shape has a past of its own"
        later.add(tuple(plan(np.array([4.0, 3.0]), 2)))
    assert len(later) > 3 and all(load > 0.0 for answer in later for load in answer)


def test_a_forecast_is_not_inserted_twice() -> None:
    source = "import numpy as np\n\n\ndef plan(load, num_gpus, old=None):\n    return load\n"
    ways = set()
    for _ in range(8):
        children = edits("forecast", source)
        if not children:
            break
        source = children[0]
        ways.add(source)
    assert len(ways) == 6
    assert edits("forecast", source) == []


def test_keep_answers_as_before_until_the_input_moves() -> None:
    source = "import numpy as np\n\n\ndef plan(load, num_gpus, old=None):\n    return load + num_gpus\n"
    plan = function(edits("keep", source)[0])
    first = plan(np.array([100.0, 100.0]), 2)
    assert plan(np.array([100.5, 100.0]), 2) is first
    assert plan(np.array([100.5, 100.0]), 3) is not first, "another argument"
    assert plan(np.array([500.0, 100.0]), 2) is not first


def test_crossover_of_functions_brings_what_they_need() -> None:
    children = edits("crossover-function")
    assert children
    for child in children:
        assert "penalty = rank(load)" in child
        assert "def rank(values)" in child and "SCALE = 2.0" in child
        assert objection(child, SOURCE, INTERFACE, 64) == ""


def test_crossover_takes_an_expression_that_only_the_mate_has() -> None:
    children = edits("crossover-expression")
    assert children
    assert all(
        "0.125" in child or "np.sqrt" in child or "SCALE" in child or "load.max()" in child for child in children
    )


def test_crossover_needs_a_mate() -> None:
    for name in ("crossover-function", "crossover-statement", "crossover-expression"):
        assert edits(name, mates=()) == []
        assert edits(name, mates=(SOURCE,)) == []
