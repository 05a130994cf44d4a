"""The referee's handle on a jailed policy: calls across the wall, with limits on time and on what comes back."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from adrs.evaluation.outcome import Limits, Status
from adrs.sandbox import child, contract, forkserver, wire
from adrs.sandbox.launcher import PolicyProcess

# Caps on one answer. Nested containers grow up to 72-fold when decoded (an empty list: one byte against 72), arrays
# do not grow.
ANSWER_BYTES = 4 * 2**20
ANSWER_ARRAY_BYTES = 64 * 2**20
_BACKSTOP_FACTOR = 3  # wall time over the CPU limit
_BACKSTOP_SECONDS = 2.0  # and beyond that, for short limits on a loaded machine
_NAPS = 20  # ticks of one evaluation at which a policy may be found asleep while its answer is due
_END_SECONDS = 1.0  # for a process to be gone after its socket has closed
_LOADING = "loading the policy"
_ERROR_CHARACTERS = 1500
_REPORTED: dict[str, Status] = {"invalid": "invalid", "memory": "memory", "denied": "denied", "wrong": "wrong"}
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


class PolicyFailure(Exception):
    """The candidate failed. `wall` tells a timeout of the wall-clock backstop, which may be the machine's fault."""

    def __init__(self, status: Status, message: str, wall: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = clean(message)
        self.wall = wall


def clean(message: str) -> str:
    """A message fit for prompts and equal on every run: printable, short, without addresses."""
    text = _ADDRESS.sub("0x...", message[: 2 * _ERROR_CHARACTERS])
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)[
        :_ERROR_CHARACTERS
    ]


class JailedPolicy:
    """Implements `adrs.evaluation.protocol.Policy`.

    `failure` keeps the candidate's failure, so that an evaluator that swallows the exception cannot hide it.
    """

    def __init__(self, process: PolicyProcess, methods: Sequence[contract.Method], limits: Limits) -> None:
        self.failure: PolicyFailure | None = None
        self.seconds = 0.0
        self._process = process
        self._limits = limits
        self._channel = wire.Channel(process.connection, self._check_limits, ANSWER_BYTES, ANSWER_ARRAY_BYTES)
        self._failure_decoder = self._channel.decoder(child.Failure)
        self._loaded_decoder = self._channel.decoder(None)
        self._methods = {
            (method.function, len(method.parameters)): (wire.CALL + index, self._channel.decoder(method.answer))
            for index, method in enumerate(methods)
        }
        self._doing = ""
        self._started = 0.0
        self._cpu_before: float | None = None  # CPU seconds at the first tick of this call
        self._asleep_at: float | None = None  # CPU seconds at the last tick, if it was asleep then
        self._naps = 0  # ticks of the whole evaluation at which it was asleep
        self._cpu_check_at = 0.0
        self._cpu_loaded = 0.0  # CPU seconds when loading ended

    def load(self, source: str) -> None:
        """Hand the candidate's source over and have it executed. Raises `PolicyFailure`."""
        self._exchange(_LOADING, wire.LOAD, source, self._loaded_decoder)
        self._cpu_loaded = self._process.cpu_seconds()

    def cpu_seconds(self) -> float:
        """CPU seconds since loading ended: all that the process did, be it in a call, before the first or after one."""
        return self._process.cpu_seconds() - self._cpu_loaded

    def call(self, function: str, *arguments: Any) -> Any:
        """See `Policy.call`. Raises `PolicyFailure`; ValueError when the interface has no such call."""
        method = self._methods.get((function, len(arguments)))
        if method is None:
            raise ValueError(f"the interface has no function {function} that takes {len(arguments)} arguments")
        return self._exchange(function, method[0], arguments, method[1])

    @property
    def last_answer(self) -> memoryview:
        """The bytes of the last answer as they came, valid until the next call."""
        return self._channel.last_frame

    def _exchange(self, doing: str, kind: int, value: object, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
        if self.failure is not None:
            raise self.failure
        self._doing = doing
        self._cpu_before = self._asleep_at = None
        self._started = time.perf_counter()
        try:
            self._channel.refuse_early()
            self._channel.send(kind, value)
            kind, data = self._channel.receive()
            if kind != wire.ANSWER:
                raise self._reported(data)
            answer = self._decoded(decoder, data)
        except wire.Disconnected:
            self.failure = self._ended()
        except wire.Malformed as error:
            self.failure = PolicyFailure("wrong", f"{doing}: the answer is {error}")
        except PolicyFailure as failure:
            self.failure = failure
        self.seconds += time.perf_counter() - self._started
        if self.seconds > self._cpu_check_at:
            self._check_total()
        if self.failure is not None:
            raise self.failure
        return answer

    def _decoded(self, decoder: msgspec.msgpack.Decoder[Any], data: memoryview) -> Any:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as error:
            raise PolicyFailure("wrong", f"{self._doing}: the answer is not what the interface says: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError, TypeError) as error:
            raise PolicyFailure("wrong", f"{self._doing}: the answer cannot be read: {error}") from None

    def _reported(self, data: memoryview) -> PolicyFailure:
        """What the policy process says of its own failure: believed as to the kind of failure, nothing more."""
        failure = self._decoded(self._failure_decoder, data)
        return PolicyFailure(_REPORTED.get(failure.status, "crash"), failure.message or f"{self._doing}: no message")

    def _check_limits(self, idle: bool) -> None:
        """Called while an answer is due: at each tick without a byte (`idle`), and between the parts of an answer."""
        cpu, elapsed = self._process.cpu_seconds(), time.perf_counter() - self._started
        if self._cpu_before is None:
            self._cpu_before = cpu  # up to a tick after the call began, in the policy's favour
        call_limit = self._limits.cpu_seconds if self._doing == _LOADING else self._limits.call_seconds
        if cpu - self._cpu_before > call_limit:
            raise PolicyFailure("timeout", f"{self._doing}: one call took more than {call_limit:g} CPU seconds")
        if cpu > self._limits.cpu_seconds:
            raise self._over_total()
        if self._waits_in_vain(idle, cpu):
            raise PolicyFailure("timeout", f"{self._doing}: the policy waits for something that never comes")
        if elapsed > _backstop(call_limit) or self.seconds + elapsed > _backstop(self._limits.cpu_seconds):
            raise self._too_slow()

    def _waits_in_vain(self, idle: bool, cpu: float) -> bool:
        """Asleep at two ticks in a row without having run in between: only the referee could wake it, and will not.

        Or asleep again and again: it lets timers wake it, and would hold its slot at no cost of CPU time.
        """
        slept, self._asleep_at = self._asleep_at, cpu if idle and self._process.is_asleep() else None
        self._naps += self._asleep_at is not None
        return (slept is not None and slept == self._asleep_at) or self._naps > _NAPS

    def _check_total(self) -> None:
        """Between calls: CPU time cannot exceed wall time, so the clock is read only now and then."""
        if self.failure is None and self._process.cpu_seconds() > self._limits.cpu_seconds:
            self.failure = self._over_total()
        if self.failure is None and self.seconds > _backstop(self._limits.cpu_seconds):
            self.failure = self._too_slow()
        self._cpu_check_at = self.seconds + self._limits.cpu_seconds / 100

    def _over_total(self) -> PolicyFailure:
        return PolicyFailure("timeout", f"more than {self._limits.cpu_seconds:g} CPU seconds in all")

    def _too_slow(self) -> PolicyFailure:
        return PolicyFailure("timeout", f"{self._doing}: no answer, though little CPU time was used", wall=True)

    def _ended(self) -> PolicyFailure:
        """The socket closed before an answer came."""
        alive = not self._process.has_ended(_END_SECONDS)
        reaped = self._process.end()
        if alive:
            return PolicyFailure("crash", f"{self._doing}: the policy closed its connection")
        if reaped.cpu_seconds > self._limits.cpu_seconds:
            return self._over_total()
        if os.WIFEXITED(reaped.status):
            code = os.WEXITSTATUS(reaped.status)
            if code == forkserver.EXIT_MEMORY:
                return PolicyFailure("memory", f"{self._doing}: out of memory")
            return PolicyFailure("crash", f"{self._doing}: the policy ended its process with exit code {code}")
        number = os.WTERMSIG(reaped.status)
        if number == signal.SIGKILL:
            return PolicyFailure("memory", f"{self._doing}: the policy process was killed, most likely out of memory")
        status: Status = "denied" if number == signal.SIGSYS else "crash"
        return PolicyFailure(status, f"{self._doing}: the policy process died of {signal.Signals(number).name}")


def _backstop(cpu_seconds: float) -> float:
    """Wall seconds that a limit on CPU seconds may take on a busy machine."""
    return _BACKSTOP_FACTOR * cpu_seconds + _BACKSTOP_SECONDS
