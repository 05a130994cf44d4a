"""`DirectPolicy`: a trusted policy without a wall behaves like one behind it, as far as a simulator can see."""

from __future__ import annotations

import numpy as np
import pytest
from machine import Machine

from adrs.testing.direct import DirectPolicy


def test_arguments_and_answers_are_copies() -> None:
    kept: list[np.ndarray] = []

    def keep(values: np.ndarray) -> np.ndarray:
        kept.append(values)
        values += 1
        return values

    policy = DirectPolicy({"keep": keep})
    sent = np.zeros(2)
    answer = policy.call("keep", sent)
    kept[0][:] = 9
    assert (sent.tolist(), answer.tolist()) == ([0, 0], [1, 1])
    assert policy.seconds > 0


def test_a_simulator_runs_with_it() -> None:
    machine = Machine()
    policy = DirectPolicy.from_source("def choose(queue, history):\n    return len(queue) - 1\n")
    assert machine.run(machine.workloads("train", 0)[0], policy)["waiting"] > 0


def test_missing_functions_are_errors() -> None:
    with pytest.raises(KeyError):
        DirectPolicy({}).call("choose")
