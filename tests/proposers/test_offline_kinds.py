"""What the offline proposer knows of a program: scopes, kinds and roles of its expressions."""

import pytest

from adrs.evaluation.interface import Interface
from adrs.proposers.offline.kinds import ANY, FLOAT, INT, Kind, array, broadcast, fits, join
from adrs.proposers.offline.program import Program, parse
from adrs.proposers.offline.spots import Spot, text_of

INTERFACE = Interface.from_text('''
import msgspec
import numpy as np

class Row(msgspec.Struct):
    size: int
    cost: float
    history: list[float]

def plan(load: np.ndarray, rows: list[Row], num_gpus: int, old: np.ndarray | None = None) -> np.ndarray:
    """Plan.

    Args:
        load: float64 [layers, experts]. What was seen.
        old: int64 [layers, slots].
    """
''')

SOURCE = """
import numpy as np

WEIGHT = 0.5


def plan(load, rows, num_gpus, old=None):
    totals = np.zeros(num_gpus)
    for layer in range(len(load)):
        row_loads = load[layer]
        order = np.argsort(-row_loads)
        for expert in order:
            gpu = int(np.argmin(totals))
            totals[gpu] += row_loads[expert]
    best = min(rows, key=lambda row: row.cost + WEIGHT * row.size)
    first = sorted(range(len(rows)), key=lambda i: rows[i].cost)
    if old is not None:
        kept = old[0]
    shares = helper(load[0], 2)
    return np.array([best.size, first[0], shares.sum()])


def helper(values, power):
    return values.mean(axis=-1, keepdims=True) + values ** power
"""


@pytest.fixture(scope="module")
def program() -> Program:
    return parse(SOURCE, INTERFACE)


def find(program: Program, text: str, role: str | None = None) -> Spot:
    spots = [s for s in program.sites.expressions if text_of(s.node) == text and role in (None, s.role)]
    assert spots, text
    return spots[-1]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("np.zeros(num_gpus)", array(("num_gpus",))),
        ("load[layer]", array(("experts",))),
        ("row_loads[expert]", FLOAT),
        ("int(np.argmin(totals))", Kind("int", over="num_gpus")),
        ("np.argsort(-row_loads)", array(("experts",), Kind("int", over="experts"))),
        ("row.cost + WEIGHT * row.size", FLOAT),
        ("rows[i].cost", FLOAT),
        ("best.size", INT),
        ("old[0]", array(("slots",), INT)),
        ("values.mean(axis=-1, keepdims=True) + values ** power", array(("experts",))),
        ("helper(load[0], 2)", array(("experts",))),
        ("len(load)", Kind("int", symbol="layers")),
    ],
)
def test_kinds_follow_from_the_interface(program: Program, text: str, kind: Kind) -> None:
    assert program.kind(find(program, text)) == kind


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("-row_loads", "key"),
        ("totals", "key"),
        ("row.cost + WEIGHT * row.size", "key"),
        ("num_gpus", "index"),
        ("expert", "index"),
        ("range(len(load))", "iter"),
        ("old is not None", "condition"),
        ("load[layer]", "value"),
    ],
)
def test_roles(program: Program, text: str, role: str) -> None:
    assert find(program, text, role).role == role


def test_only_names_that_are_certainly_bound_are_in_scope(program: Program) -> None:
    last = find(program, "np.array([best.size, first[0], shares.sum()])").scope
    assert {"totals", "best", "first", "shares", "WEIGHT", "helper", "np"} <= last.keys()
    assert not {"kept", "gpu", "order", "row_loads", "layer"} & last.keys(), "bound in a branch or in a loop only"


def test_an_optional_parameter_is_present_behind_its_test(program: Program) -> None:
    outside = program.sites.functions["plan"]
    inside = find(program, "old[0]").scope["old"]
    assert not inside.optional
    assert find(program, "old is not None").scope["old"].optional
    assert outside.allowed


def test_module_level_names_are_in_scope_only_after_their_definition() -> None:
    program = parse("A = 1.5\nB = 2.5\n\n\ndef plan(load, rows, num_gpus):\n    return A + B\n", INTERFACE)
    assert find(program, "2.5").scope.keys() == {"A"}
    assert {"A", "B"} <= find(program, "A + B").scope.keys()


def test_a_list_that_changes_its_length_has_no_known_length() -> None:
    source = "def plan(load, rows, num_gpus):\n    xs = list(range(num_gpus))\n    xs.append(3)\n    return len(xs)\n"
    assert find(parse(source, INTERFACE), "xs", "value").scope["xs"].shape == (ANY,)


def test_join_broadcast_and_fits() -> None:
    assert join(INT, FLOAT) == FLOAT
    assert join(FLOAT, Kind("none")) == Kind("float", optional=True)
    assert broadcast(array(("a", "b")), array(("b",))) == ("a", "b")
    assert broadcast(array(("a", "1")), array(("b",))) == ("a", "b")
    assert broadcast(array((ANY,)), array((ANY,))) == (ANY,)
    assert fits(("b",), ("a", "b"))
    assert fits(("a", "1"), ("a", "b"))
    assert not fits(("a",), ("a", "b"))
    assert not fits((ANY,), (ANY,)), "unknown dimensions equal nothing"
    assert not fits(("a", "b"), ("b",))
