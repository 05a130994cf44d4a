"""What crosses the wall: frames of msgpack, with the bytes of arrays behind it. Never pickles.

A frame is a header (length of the msgpack part, length of the array part, kind), the msgpack part, and the raw bytes of
all arrays in order; in the msgpack part an array is an extension value with dtype, shape and its place among those
bytes. So a hostile frame can neither name a type of its own, nor make the receiver allocate more than the caps.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
import numpy as np

# The kinds of frames; CALL + i is a call of the contract's i-th method.
READY, LOAD, ANSWER, FAILURE, CALL = range(5)

_HEADER = struct.Struct("<IIH")
_ARRAY = 1  # code of the extension type
_ARRAY_HEAD = struct.Struct("<BBQ")  # index of the dtype, number of dimensions, offset of the bytes
_SHAPES = tuple(struct.Struct(f"<{dimensions}Q") for dimensions in range(9))
_empty = np.empty  # as numpy has it: in a policy process it gets poisoned
_DTYPES = tuple(
    np.dtype(name)
    for name in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()  # noqa: SIM905
)
_STORED = (np.dtype(np.uint8), *_DTYPES[1:])  # bools are read as bytes first
_DTYPE_INDEX = {dtype: index for index, dtype in enumerate(_DTYPES)}
_BUFFER = 1 << 16


class Malformed(Exception):
    """The other side broke the protocol: a bad frame, a frame over the cap, an array that lies about itself."""


class Disconnected(Exception):
    """The other side closed the socket or ended."""


class Channel:
    """Frames over a connected stream socket.

    With a receive and send timeout on the socket (SO_RCVTIMEO, SO_SNDTIMEO), `waiting(True)` is called whenever one
    expires, and `waiting(False)` whenever a frame has arrived in part only; it raises to give up. `data_cap` and
    `array_cap` bound, in bytes, the two parts of a frame received.
    """

    def __init__(
        self, connection: socket.socket, waiting: Callable[[bool], None], data_cap: int = 2**31, array_cap: int = 2**31
    ) -> None:
        self._socket = connection
        self._waiting = waiting
        self._arrivals = select.poll()
        self._arrivals.register(connection, select.POLLIN)
        self._caps = data_cap, array_cap
        self._inbox = bytearray(_BUFFER)
        self._outbox = bytearray()
        self._outgoing: list[np.ndarray] = []
        self._outgoing_bytes = 0
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._encode_array)
        self.last_frame = memoryview(b"")  # what was received last, without its header; valid until the next `receive`
        self._arrays = memoryview(b"")
        self._cursor = 0

    def send(self, kind: int, value: object) -> None:
        """Raises TypeError (among others) for a value that cannot cross, `Disconnected`, and what `waiting` raises."""
        self._outgoing.clear()
        self._outgoing_bytes = 0
        frame = self._outbox
        self._encoder.encode_into(value, frame, _HEADER.size)
        _HEADER.pack_into(frame, 0, len(frame) - _HEADER.size, self._outgoing_bytes, kind)
        for array in self._outgoing:
            frame += array.tobytes()
        self._send_all(frame)
        if len(frame) > _BUFFER:
            self._outbox = bytearray()  # do not keep the memory of a rare large frame

    def refuse_early(self) -> None:
        """Raises `Malformed` if the other side has sent what nobody asked for yet."""
        if not self._arrivals.poll(0):  # a fraction of what an exception costs
            return
        try:
            early = self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except ConnectionResetError:
            return
        if early:
            raise Malformed("one that came before its call")

    def receive(self) -> tuple[int, memoryview]:
        """The next frame's kind and msgpack part, valid until the next `receive`. See `decode`.

        Raises `Malformed`, `Disconnected`, and what `waiting` raises.
        """
        inbox = memoryview(self._inbox)
        received = self._receive_into(inbox)
        while received < _HEADER.size:
            self._waiting(False)
            received += self._receive_into(inbox[received:])
        data_size, array_size, kind = _HEADER.unpack_from(inbox)
        if data_size > self._caps[0] or array_size > self._caps[1]:
            raise Malformed("a message over the size cap")
        end = _HEADER.size + data_size + array_size
        if received > end:
            raise Malformed("bytes after the message")
        if end > len(inbox):
            inbox = self._grow(inbox[:received], end)
        while received < end:
            self._waiting(False)
            received += self._receive_into(inbox[received:end])
        self.last_frame = inbox[_HEADER.size : end]
        self._arrays = inbox[_HEADER.size + data_size : end]
        self._cursor = 0
        return kind, inbox[_HEADER.size : _HEADER.size + data_size]

    def decoder(self, annotation: Any) -> msgspec.msgpack.Decoder[Any]:
        """A decoder for the frames of this channel; it copies arrays out of the frame and checks them.

        Raises TypeError when values of the annotation cannot cross the wall.
        """
        return msgspec.msgpack.Decoder(annotation, dec_hook=check_custom, ext_hook=self._decode_array)

    def _send_all(self, frame: bytearray) -> None:
        rest = memoryview(frame)
        try:
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    self._waiting(True)
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected from None
        finally:
            rest.release()

    def _receive_into(self, buffer: memoryview) -> int:
        while True:
            try:
                received = self._socket.recv_into(buffer)
            except BlockingIOError:
                self._waiting(True)
            except ConnectionResetError:
                raise Disconnected from None
            else:
                if not received:
                    raise Disconnected
                return received

    def _grow(self, start: memoryview, size: int) -> memoryview:
        """A buffer for this frame alone; its memory is untouched until the bytes arrive."""
        larger = _empty(size, np.uint8).data
        larger[: len(start)] = start
        return larger

    def _encode_array(self, value: object) -> object:
        if isinstance(value, np.ndarray):
            return self._encode_ndarray(value)
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"a value of type {type(value).__name__} cannot cross the wall")

    def _encode_ndarray(self, array: np.ndarray) -> msgspec.msgpack.Ext:
        index = _DTYPE_INDEX.get(array.dtype)
        if index is None or array.ndim >= len(_SHAPES):
            raise TypeError(f"an array of dtype {array.dtype} and {array.ndim} dimensions cannot cross the wall")
        head = _ARRAY_HEAD.pack(index, array.ndim, self._outgoing_bytes)
        self._outgoing.append(array)
        self._outgoing_bytes += array.nbytes
        return msgspec.msgpack.Ext(_ARRAY, head + _SHAPES[array.ndim].pack(*array.shape))

    def _decode_array(self, code: int, data: memoryview) -> np.ndarray:
        """Copies one array out of the frame. Each byte can be claimed once, so the copies are no larger than it."""
        try:
            index, dimensions, offset = _ARRAY_HEAD.unpack_from(data)
            shape = _SHAPES[dimensions].unpack(data[_ARRAY_HEAD.size :])
            # Raises unless the array lies within the slice; with an offset of its own, numpy 2.4 lets 2**63 - 1 pass.
            view: np.ndarray = np.ndarray(shape, _STORED[index], self._arrays[offset:])
        except (struct.error, IndexError, ValueError, TypeError, OverflowError):
            raise Malformed("a broken array") from None
        if code != _ARRAY or offset < self._cursor or (not view.size and max(shape) > _BUFFER):
            raise Malformed("a broken array")
        self._cursor = offset + view.nbytes
        # Any byte but 0 and 1 in a bool array would count more than once in a sum.
        return np.asarray(view != 0) if index == 0 else view.copy()


def check_custom(annotation: Any, value: object) -> object:
    """msgspec's `dec_hook`: admits arrays where the annotation asks for one, converting dtypes only without loss."""
    if annotation is not np.ndarray and get_origin(annotation) is not np.ndarray:
        raise NotImplementedError(f"{annotation} cannot cross the wall")
    if not isinstance(value, np.ndarray):
        raise ValueError(f"Expected an array, got {type(value).__name__}")
    wanted = _wanted_dtype(annotation)
    if wanted is None or issubclass(value.dtype.type, wanted):
        return value
    if not np.can_cast(value.dtype, wanted, "safe"):
        raise ValueError(f"Expected an array of {wanted.__name__}, got {value.dtype}")
    return value.astype(wanted)


@cache
def _wanted_dtype(annotation: Any) -> type[np.generic] | None:
    """`np.float64` of `NDArray[np.float64]`; None when the annotation leaves the dtype open."""
    arguments = get_args(annotation)
    scalar = get_args(arguments[1]) if len(arguments) == 2 else ()
    return scalar[0] if scalar and isinstance(scalar[0], type) else None
