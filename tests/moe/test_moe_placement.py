from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moe_cases import random_placement

from adrs.evaluation.protocol import WrongAnswer
from evaluators.moe.placement import Moves, Replicas, check_placement, initial_placement, replica_counts


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0, 1, 2, 0]], "got list"),
        (None, "got NoneType"),
        (np.array([[0.0, 1.0, 2.0, 0.0]]), "dtype float64"),
        (np.array([[True, False, True, True]]), "dtype bool"),
        (np.array([0, 1, 2, 0]), "got (4,)"),
        (np.array([[0, 1, 2]]), "got (1, 3)"),
        (np.array([[0, 1, 2, 3]]), "layer 0, slot 3: expert 3 is outside 0..2"),
        (np.array([[0, -1, 1, 2]]), "layer 0, slot 1: expert -1 is outside"),
        (np.array([[0, 1, 1, 0]]), "layer 0: expert 2 has no replica; 1 are missing"),
        (np.array([[0, 1, 2, 2**63]], dtype=np.uint64), "is outside"),
    ],
)
def test_refuses_what_is_no_placement(answer: Any, message: str) -> None:
    with pytest.raises(WrongAnswer) as refusal:
        check_placement(answer, layers=1, experts=3, slots=4)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_names_the_layer_that_lacks_an_expert() -> None:
    answer = np.array([[0, 1, 2, 0], [0, 0, 0, 2]])
    with pytest.raises(WrongAnswer, match="layer 1: expert 1"):
        check_placement(answer, layers=2, experts=3, slots=4)


def test_accepts_any_integer_type_and_copies() -> None:
    answer = np.array([[2, 1, 0, 0]], dtype=np.uint8)
    checked = check_placement(answer, 1, 3, 4)
    answer[:] = 9
    assert checked.dtype == np.int64
    assert checked.tolist() == [[2, 1, 0, 0]]


def test_initial_placement_repeats_the_first_experts() -> None:
    assert initial_placement(2, 3, 5).tolist() == [[0, 1, 2, 0, 1]] * 2


def test_replicas_by_hand() -> None:
    replicas = Replicas.of(np.array([[2, 0, 2, 1, 2, 0]]), experts=3, nodes=2)
    assert replicas.count.tolist() == [[3, 2, 3, 1, 3, 2]]
    assert replicas.rank.tolist() == [[0, 0, 1, 0, 2, 1]]
    assert replicas.by_node[0].tolist() == pytest.approx(np.array([[1 / 2, 1 / 2], [0, 1], [2 / 3, 1 / 3]]))


def test_tokens_are_dealt_in_turn() -> None:
    replicas = Replicas.of(np.array([[2, 0, 2, 1, 2, 0]]), experts=3, nodes=1)
    dealt = replicas.deal(np.array([[[5, 7, 2]]], dtype=np.int32))
    assert dealt.tolist() == [[[1, 3, 1, 7, 0, 2]]]


@given(seed=st.integers(0, 2**31), experts=st.integers(1, 12), extra=st.integers(0, 9), layers=st.integers(1, 3))
def test_dealing_loses_no_token_and_is_even(seed: int, experts: int, extra: int, layers: int) -> None:
    rng = np.random.default_rng(seed)
    placement = random_placement(rng, layers, experts, experts + extra)
    counts = rng.integers(0, 50, size=(4, layers, experts)).astype(np.int32)
    dealt = Replicas.of(placement, experts, 1).deal(counts)
    for layer in range(layers):
        for expert in range(experts):
            parts = dealt[:, layer, placement[layer] == expert]
            assert (parts.sum(axis=1) == counts[:, layer, expert]).all()
            assert (parts.max(axis=1) - parts.min(axis=1) <= 1).all()


def test_counts_replicas_per_layer() -> None:
    assert replica_counts(np.array([[0, 1, 1], [1, 0, 0]]), 2).tolist() == [[1, 2], [2, 1]]


def test_moves_are_set_differences_by_distance() -> None:
    # 2 nodes x 2 GPUs x 2 slots
    old = np.array([[0, 1, 2, 3, 4, 5, 0, 1]])
    new = np.array([[1, 0, 0, 4, 4, 5, 0, 2]])  # GPU 0 permuted; GPU 1 gets 0 (near) and 4 (far); GPU 3 gets 2 (far)
    moves = Moves.between(old, np.concatenate([new[:, :7], [[2]]], axis=1), experts=6, nodes=2, gpus=4)
    assert moves.near.tolist() == [[0, 1, 0, 0]]
    assert moves.far.tolist() == [[0, 1, 0, 1]]


@given(seed=st.integers(0, 2**31))
def test_permuting_the_slots_of_a_gpu_moves_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old = random_placement(rng, 2, 8, 12)
    new = rng.permuted(old.reshape(2, 4, 3), axis=2).reshape(2, 12)
    moves = Moves.between(old, new, experts=8, nodes=2, gpus=4)
    assert moves.near.sum() == moves.far.sum() == 0


def test_a_second_copy_on_the_same_gpu_is_no_move() -> None:
    moves = Moves.between(np.array([[0, 1, 1, 2]]), np.array([[0, 0, 1, 2]]), experts=3, nodes=1, gpus=2)
    assert moves.near.sum() + moves.far.sum() == 0
