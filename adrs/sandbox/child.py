"""The policy process, from its fork to its end: confine, load the candidate's source, answer calls.

Nothing here is trusted by the referee once the source has been loaded: a candidate can reach and replace all of it.
"""

from __future__ import annotations

import io
import random
import socket
import sys
import traceback
import types
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from adrs.sandbox import contract, jail, wire

FILENAME = "policy.py"  # what tracebacks call the candidate
MODULE = "policy"
_MESSAGE_CHARACTERS = 1000
_RULES = "a policy has no files, network, processes, threads or sleep, and only the imports named in the interface"


class Ready(msgspec.Struct):
    """Sent before the source is received: the layers in force, or why the jail could not be had."""

    layers: str = ""
    error: str = ""


class Failure(msgspec.Struct):
    """How a call, or the loading of the source, failed."""

    status: str  # crash, memory, denied or wrong
    message: str


def run(connection: socket.socket, spec: jail.JailSpec, parent: int, methods: Sequence[contract.Method]) -> None:
    """Confine this process and serve until the candidate fails. Raises `wire.Disconnected` at the end."""
    channel = wire.Channel(connection, waiting=lambda idle: None)
    decoders = [channel.decoder(method.arguments) for method in methods]
    try:
        channel.send(wire.READY, Ready(layers=jail.confine(spec, parent)))
    except jail.JailError as error:
        channel.send(wire.READY, Ready(error=str(error)))
        return
    random.seed(0)  # each process is new, yet the candidate's draws repeat
    np.random.seed(0)
    source = channel.decoder(str).decode(channel.receive()[1])
    try:
        module = _load(source)
        functions = [_defined(module, method.function) for method in methods]
        channel.send(wire.ANSWER, None)
        while True:
            kind, data = channel.receive()
            _answer(channel, functions[kind - wire.CALL], decoders[kind - wire.CALL].decode(data))
    except wire.Disconnected:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt are failures like any other
        channel.send(wire.FAILURE, _explain(error, source))


def _load(source: str) -> types.ModuleType:
    module = types.ModuleType(MODULE)
    module.__file__ = FILENAME
    sys.modules[MODULE] = module
    exec(_compiled(source), module.__dict__)
    return module


def _compiled(source: str) -> types.CodeType:
    try:
        return compile(source, FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise _Invalid(str(error)) from None


def _defined(module: types.ModuleType, name: str) -> Callable[..., object]:
    function: object = module.__dict__.get(name)
    if not callable(function):
        raise _Invalid(f"the function {name} is not defined at top level")
    return function


def _answer(channel: wire.Channel, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    answer = function(*arguments)
    try:
        channel.send(wire.ANSWER, answer)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _BadAnswer(f"the answer of {function.__name__} cannot cross the wall: {error}") from None


class _BadAnswer(Exception):
    """What the function returned cannot be encoded."""


class _Invalid(Exception):
    """The source does not parse, or lacks the interface."""


def _explain(error: BaseException, source: str) -> Failure:
    """Name the error and the candidate's line. Runs under the candidate's limits: `str(error)` may be its code."""
    line = _line(error)
    traceback.clear_frames(error.__traceback__)  # release what a MemoryError left allocated
    if isinstance(error, _BadAnswer):
        return Failure("wrong", str(error)[:_MESSAGE_CHARACTERS])
    if isinstance(error, _Invalid):
        return Failure("invalid", str(error)[:_MESSAGE_CHARACTERS])
    message = str(error)[:_MESSAGE_CHARACTERS]  # cut before it is copied: it may have fifty megabytes
    text = f"{type(error).__name__}: {message}".removesuffix(": ")[:_MESSAGE_CHARACTERS]
    lines = io.StringIO(source, newline=None).readlines()  # as Python counts them: `splitlines` also cuts at form feeds
    place = f" (line {line}: {lines[line - 1].strip()[:120]})" if 0 < line <= len(lines) else ""
    if isinstance(error, MemoryError):
        return Failure("memory", text + place)
    if _is_denied(error):
        return Failure("denied", f"{text}{place}; {_RULES}")
    return Failure("crash", text + place)


def _line(error: BaseException) -> int:
    """The innermost line of the candidate that the error passed through, 0 if none."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == FILENAME]
    return lines[-1] if lines else 0


def _is_denied(error: BaseException) -> bool:
    if isinstance(error, RuntimeError):
        return str(error) == "can't start new thread"
    return isinstance(error, (PermissionError, ModuleNotFoundError))
