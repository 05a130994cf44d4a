"""The call protocol: what goes through unchanged, and what a hostile peer can make of it."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from numpy.typing import NDArray

from adrs.sandbox import wire

DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()  # noqa: SIM905
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class GaveUp(Exception):
    pass


def give_up(idle: bool) -> None:
    raise GaveUp


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    tick = struct.pack("@ll", 0, 20_000)
    for end in (left, right):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, tick)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, tick)
    yield left, right
    left.close()
    right.close()


def through(value: Any, annotation: Any = Any) -> Any:
    """A value after a trip over a socket."""
    left, right = socket.socketpair()
    with left, right:
        sender, receiver = wire.Channel(left, give_up), wire.Channel(right, give_up)
        sender.send(wire.ANSWER, value)
        kind, data = receiver.receive()
        assert kind == wire.ANSWER
        return receiver.decoder(annotation).decode(data)


@given(PLAIN)
def test_plain_data_comes_through_unchanged(value: Any) -> None:
    assert through(value) == value


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: stnp.arrays(dtype, stnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
    )
)
def test_arrays_come_through_as_writable_copies(array: np.ndarray) -> None:
    [answer] = through([array])
    np.testing.assert_array_equal(answer, array, strict=True)
    assert answer.flags.writeable and answer.flags.owndata


def test_slices_and_transposes_come_through_by_value() -> None:
    array = np.arange(24).reshape(4, 6)
    for view in (array[::2, ::3], array.T, array[::-1], np.asfortranarray(array)):
        np.testing.assert_array_equal(through(view), view, strict=True)


@pytest.mark.parametrize(
    "value", [np.zeros(2, complex), np.array(["a"]), np.array([object()]), np.zeros(2, "M8[s]"), 1j, object()]
)
def test_what_cannot_cross_is_refused_by_the_sender(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot cross the wall"):
        through(value)


@pytest.mark.parametrize(
    ("sent", "annotation", "good"),
    [
        (np.arange(3, dtype=np.int32), NDArray[np.int64], True),
        (np.arange(3), NDArray[np.float64], True),
        (np.arange(3.0), NDArray[np.floating[Any]], True),
        (np.arange(3, dtype=np.int32), NDArray[np.integer[Any]], True),
        (np.arange(3.0), np.ndarray, True),
        (None, NDArray[np.float64] | None, True),
        (np.arange(3.0), NDArray[np.int64], False),
        (np.arange(3), NDArray[np.bool_], False),
        (np.arange(3.0), NDArray[np.float32], False),
        ([1.0], NDArray[np.float64], False),
        (np.zeros(1), float, False),
        (np.zeros(1), list[float], False),
    ],
)  # fmt: skip
def test_arrays_are_held_to_the_annotation(sent: Any, annotation: Any, good: bool) -> None:
    if good:
        assert through(sent, annotation) is None or through(sent, annotation).shape == sent.shape
    else:
        with pytest.raises(msgspec.ValidationError):
            through(sent, annotation)


def frame(data: bytes, arrays: bytes = b"") -> bytes:
    return struct.pack("<IIH", len(data), len(arrays), wire.ANSWER) + data + arrays


def array_extension(dtype: int, shape: tuple[int, ...], offset: int) -> bytes:
    body = struct.pack("<BBQ", dtype, len(shape), offset) + struct.pack(f"<{len(shape)}Q", *shape)
    return bytes([0xC7, len(body), 1]) + body


def received(raw: bytes) -> Any:
    """What a receiver with small caps makes of raw bytes."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(raw)
        left.close()
        channel = wire.Channel(right, lambda idle: None, data_cap=10_000, array_cap=10_000)
        return channel.decoder(Any).decode(channel.receive()[1])


@pytest.mark.parametrize(
    "raw",
    [
        frame(b"\xc0") + b"more",
        struct.pack("<IIH", 10_001, 0, 2),
        struct.pack("<IIH", 1, 10_001, 2),
        frame(array_extension(11, (2,), 0), bytes(15)),
        frame(array_extension(11, (1,), 2**63 - 1), bytes(8)),
        frame(array_extension(11, (2**61,), 0), bytes(8)),
        frame(array_extension(11, (2**32, 2**32), 0), bytes(8)),
        frame(array_extension(11, (2**40, 0), 0), bytes(8)),
        frame(array_extension(12, (1,), 0), bytes(8)),
        frame(array_extension(5, (1,) * 9, 0), bytes(8)),
        frame(b"\x92" + array_extension(5, (8,), 0) * 2, bytes(8)),
        frame(bytes([0xC7, 3, 1]) + b"abc"),
        frame(bytes([0xC7, 3, 2]) + b"abc"),
    ],
)
def test_broken_frames_are_malformed(raw: bytes) -> None:
    with pytest.raises(wire.Malformed):
        received(raw)


def test_what_comes_unasked_is_malformed() -> None:
    left, right = socket.socketpair()
    with left, right:
        channel = wire.Channel(right, give_up)
        channel.refuse_early()
        left.send(frame(b"\xc0"))
        with pytest.raises(wire.Malformed):
            channel.refuse_early()
        channel.receive()
        left.close()
        channel.refuse_early()  # an end is for `receive` to tell


def test_bools_are_zero_or_one_whatever_the_bytes() -> None:
    assert received(frame(array_extension(0, (4,), 0), bytes([0, 1, 2, 255]))).view(np.uint8).tolist() == [0, 1, 1, 1]


@settings(max_examples=300)
@given(st.binary(max_size=60), st.binary(max_size=40))
def test_random_frames_never_get_further_than_an_error(data: bytes, arrays: bytes) -> None:
    with contextlib.suppress(wire.Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
        received(frame(data, arrays))


@settings(max_examples=300)
@given(
    st.integers(0, 255),
    st.lists(st.integers(0, 2**64 - 1), max_size=4),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=40),
)
def test_random_arrays_lie_within_their_frame(dtype: int, shape: list[int], offset: int, arrays: bytes) -> None:
    try:
        array = received(frame(array_extension(dtype, tuple(shape), offset), arrays))
    except wire.Malformed:
        return
    assert array.nbytes <= len(arrays)


def test_a_peer_that_hangs_up_is_noticed(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    right.close()
    with pytest.raises(wire.Disconnected):
        wire.Channel(left, give_up).receive()
    with pytest.raises(wire.Disconnected):
        wire.Channel(left, give_up).send(wire.ANSWER, None)


def test_a_peer_that_never_reads_does_not_block_the_sender(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(GaveUp):
        wire.Channel(pair[0], give_up).send(wire.ANSWER, np.zeros(10**6))


@pytest.mark.parametrize("raw", [b"", b"\x01", frame(b"\x92\x01\x02")[:-1]])
def test_a_silent_peer_does_not_block_the_receiver(pair: tuple[socket.socket, socket.socket], raw: bytes) -> None:
    pair[1].send(raw)
    with pytest.raises(GaveUp):
        wire.Channel(pair[0], give_up).receive()
