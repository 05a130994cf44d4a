"""Hostile answers behind the real wall: none scores but those that break no rule, and these as they deserve."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.outcome import Evaluation
from adrs.problem_file import load_problem

ATTACKS = load_attacks(Path(__file__).parent / "attacks" / "serving_cluster")


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(load_problem("serving_cluster"), ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_comes_to_its_end(ends: dict[str, Evaluation], name: str) -> None:
    end = ends[name]
    assert end.status in expected_ends(ATTACKS[name]), (end.status, end.error)
    assert (end.status == "ok") == bool(end.metrics)


def test_a_policy_learns_what_was_wrong(ends: dict[str, Evaluation]) -> None:
    messages = {
        "unknown_instance": "there is no instance 6; their ids are 0 to 5",
        "negative_instance": "there is no instance -1",
        "migrate_unknown": "no such request is at an instance",
        "migrate_finished": "no such request is at an instance",
        "migrate_to_itself": "already",
        "migrate_twice": "named twice",
        "migrate_who_moves": "not waiting or decode",
        "stop_all": "no instance would be ready",
        "start_what_runs": "instance 0 is ready; choose stopped or draining ones",
        "start_and_stop_nobody": "there is no instance -1",
        "route_to_the_stopped": "choose one that is ready",
    }
    for name, message in messages.items():
        assert message in ends[name].error, name


def test_tricks_do_not_pay(ends: dict[str, Evaluation]) -> None:
    """Against round-robin, which scores 0: moving everybody for ever, flapping, and one instance for all."""
    scores = {name: dict(end.metrics)["gap_closed"] for name, end in ends.items() if end.status == "ok"}
    assert scores.pop("scribble") == pytest.approx(0.0)  # it is round-robin, whatever it writes
    assert scores.pop("ping_pong") < 0.2
    assert scores.pop("stop_and_start") < 0.2
    assert scores.pop("all_to_one") < 0.0
    assert not scores
