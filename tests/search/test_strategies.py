"""Strategies as folds over committed candidates."""

from __future__ import annotations

import random

import pytest

from adrs.errors import HouseError
from adrs.problem import Feature, Search
from adrs.proposers.base import Candidate
from adrs.search import Strategy, build_strategy
from adrs.search.features import FeatureMap
from adrs.search.islands import Islands
from adrs.search.topk import TopK


def candidate(id: int, score: float | None, size: int = 100, **more: object) -> Candidate:
    return Candidate(
        id=id, parents=(0,), source="", operator="", status="ok" if score is not None else "crash", score=score,
        code_size=size, scores={} if score is None else {"a": score, "b": score}, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def fed(strategy: Strategy, scores: list[float | None]) -> Strategy:
    for id, score in enumerate(scores):
        strategy.observe(candidate(id, score))
    return strategy


@pytest.mark.parametrize("name", ["islands", "topk", "best_of_n"])
def test_a_selection_is_a_function_of_the_prefix_and_the_generator(name: str) -> None:
    rng = random.Random(5)
    scores = [0.0, *(rng.choice([None, rng.random()]) for _ in range(400))]
    search = Search(strategy=name)  # type: ignore[arg-type]
    first, second = fed(build_strategy(search), scores), fed(build_strategy(search), scores)
    selections = [first.select(slot, random.Random(slot)) for slot in range(100)]
    assert [second.select(slot, random.Random(slot)) for slot in reversed(range(100))] == selections[::-1]
    scored = {id for id, score in enumerate(scores) if score is not None}
    for selection in selections:
        assert {*selection.parents, *selection.inspirations} <= scored
        assert len(set(selection.parents)) == len(selection.parents)


@pytest.mark.parametrize("name", ["islands", "topk", "best_of_n"])
def test_with_nothing_but_the_seed_the_seed_is_the_parent(name: str) -> None:
    strategy = fed(build_strategy(Search(strategy=name)), [1.0])  # type: ignore[arg-type]
    assert {strategy.select(slot, random.Random(slot)).parents for slot in range(1, 20)} == {(0,)}


def test_best_of_n_learns_nothing_but_its_threshold() -> None:
    strategy = fed(build_strategy(Search(strategy="best_of_n")), [0.1, 0.9, None, 0.5])
    selection = strategy.select(4, random.Random(0))
    assert (selection.parents, selection.inspirations, selection.threshold) == ((0,), (), 0.9)


def test_topk_draws_the_best_most_often_and_none_but_the_k_best() -> None:
    strategy = TopK(k=3)
    for id, score in enumerate([0.0, 5.0, 3.0, 4.0, 1.0, 5.0]):
        strategy.observe(candidate(id, score, size=100 - id))
    drawn = [strategy.select(9, random.Random(i)).parents[0] for i in range(600)]
    assert set(drawn) == {5, 1, 3}  # 5 before 1: the same score with less code
    assert drawn.count(5) > drawn.count(1) > drawn.count(3)
    assert strategy.select(9, random.Random(0)).threshold == 4.0


def test_the_seed_founds_every_island_and_children_stay_on_their_own() -> None:
    islands = Islands(count=2, migrate_every=1000)
    islands.observe(candidate(0, 0.0))
    islands.observe(candidate(1, 9.0))
    islands.observe(candidate(2, 1.0))
    odd = {islands.select(3, random.Random(i)).parents[0] for i in range(50)}
    even = {islands.select(4, random.Random(i)).parents[0] for i in range(50)}
    assert (odd, even) == ({1}, {2})


def test_migration_carries_the_best_to_the_next_island() -> None:
    islands = Islands(count=2, migrate_every=4)
    for id, score in enumerate([0.0, 9.0, 1.0, 2.0]):
        islands.observe(candidate(id, score))
    assert {islands.select(6, random.Random(i)).parents[0] for i in range(50)} == {1}


def test_a_reset_founds_the_worse_islands_anew() -> None:
    islands = Islands(count=2, migrate_every=1000, reset_every=6)
    features = [0.0, 9.0, 1.0, 8.0, 2.0, 7.0]
    for id, score in enumerate(features):
        islands.observe(candidate(id, score, size=100 * 2**id))
    assert {islands.select(2, random.Random(i)).parents[0] for i in range(50)} == {1}


def test_a_single_island_is_never_reset() -> None:
    islands = Islands(count=1, migrate_every=2, reset_every=3)
    for id in range(12):
        islands.observe(candidate(id, float(id), size=100 * 2 ** (id % 3)))
    assert islands.select(12, random.Random(0)).parents


def test_racing_begins_when_an_island_is_populated() -> None:
    islands = Islands(count=1, features=[Feature("x", 0, 10, bins=10)])
    for id in range(9):
        assert islands.select(1, random.Random(0)).threshold is None if id and id < 8 else True
        islands.observe(candidate(id, float(id), metrics={"x": id + 0.5}))
    assert islands.select(1, random.Random(0)).threshold == 4.0


def test_declared_features_are_clamped_into_their_bins() -> None:
    features = FeatureMap([Feature("moved_gb", 0, 8, bins=4), Feature("code_size", 0, 200, bins=2)])
    cells = [
        features.cell(candidate(0, 1.0, size, metrics={"moved_gb": gb})) for gb, size in ((-3, 0), (3, 150), (99, 999))
    ]
    assert cells == [(0, 0), (1, 1), (3, 1)]


def test_a_feature_that_is_no_metric_is_a_failure_of_the_house() -> None:
    with pytest.raises(HouseError, match="reports no metric `moved`; did you mean `moved_gb`"):
        FeatureMap([Feature("moved", 0, 8)]).cell(candidate(0, 1.0, metrics={"moved_gb": 1.0}))


def test_default_features_tell_specialists_from_generalists() -> None:
    features = FeatureMap(())
    seed = candidate(0, 0.0)
    special = Candidate(1, (0,), "", "", "ok", 0.4, scores={"a": 0.0, "b": 0.8}, code_size=200)
    assert features.cell(seed) == (0, 0)
    assert features.cell(special) == (4, 1)


def test_recent_failures_are_shown_once_each() -> None:
    strategy = TopK()
    for id, error in enumerate(["", "IndexError: a", "IndexError: a", "ValueError: b"]):
        strategy.observe(candidate(id, 0.0 if not error else None, error=error))
    assert strategy.select(4, random.Random(0)).failures == (1, 3)
