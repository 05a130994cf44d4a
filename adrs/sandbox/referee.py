"""The referee: a process of its own that holds the evaluator and its workloads, and lets policies play against it.

It is exec'd, never forked from the coordinator, takes one request at a time, and ends with its coordinator.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import msgspec

from adrs.errors import HouseError, InputError
from adrs.evaluation.executor import Description
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.evaluation.protocol import Metrics, Split, Workload, WrongAnswer
from adrs.sandbox import contract, kernel, messages
from adrs.sandbox.inspection import inspect
from adrs.sandbox.launcher import ForkServer, ForkServerDied
from adrs.sandbox.loading import load_evaluator
from adrs.sandbox.policy import JailedPolicy, PolicyFailure, clean
from adrs.sandbox.timing import Play, Stopwatch


class Referee:
    """Answers the requests of `adrs.sandbox.messages`."""

    def __init__(self, request: messages.Open) -> None:
        """Raises `InputError` when there is no such evaluator, `HouseError` when its interface does not run.

        A timed evaluator is asked for by `request.timed`; one that is none is the user's mistake.
        """
        self._evaluator, self._fingerprint = load_evaluator(request.evaluator)
        self._stopwatch = Stopwatch(self._evaluator, request.evaluator.target) if request.timed else None
        self._sandbox = request.sandbox
        try:
            self._methods = contract.load(self._evaluator.interface)
        except contract.ContractError as error:
            raise HouseError("evaluator_error", str(error)) from error
        self._fork_server: ForkServer | None = None
        self._listed: dict[tuple[str, int], Sequence[Workload]] = {}

    def answer(self, request: messages.Request) -> messages.Reply:
        """Raises `HouseError`, `InputError`, and whatever the evaluator raises of its own."""
        match request:
            case messages.Evaluate():
                return self._evaluate(request)
            case messages.Inspect():
                return messages.Inspected(inspect(request.source, self._evaluator.interface))
            case messages.ListWorkloads():
                return messages.Workloads(self._list(request.split, request.salt))
            case messages.Describe():
                return messages.Described(self._describe())
            case messages.Open():
                return messages.Opened()

    def _list(self, split: Split, salt: int) -> list[Listed]:
        return [
            Listed(split, salt, index, workload.name, workload.regime, workload.cluster, workload.hash,
                   dict(self._evaluator.bound(workload)))
            for index, workload in enumerate(self._workloads(split, salt))
        ]  # fmt: skip

    def _workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        if (split, salt) not in self._listed:
            self._listed[split, salt] = self._evaluator.workloads(split, salt)
        return self._listed[split, salt]

    def _find(self, listed: Listed) -> Workload:
        workloads = self._workloads(cast(Split, listed.split), listed.salt)
        if listed.index >= len(workloads) or workloads[listed.index].hash != listed.hash:
            message = f"workload {listed.name} is not at place {listed.index} of {listed.split} any more"
            raise HouseError("evaluator_error", f"{message}: an evaluator must list the same workloads every time")
        return workloads[listed.index]

    def _server(self) -> ForkServer:
        if self._fork_server is None:
            self._fork_server = ForkServer(self._evaluator.interface, self._sandbox)
        return self._fork_server

    def _drop_fork_server(self) -> None:
        if self._fork_server is not None:
            self._fork_server.close()
        self._fork_server = None

    def _describe(self) -> Description:
        limits = Limits()
        process, layers = self._server().spawn(limits.cpu_seconds, limits.memory_mb)
        process.end()
        self._drop_fork_server()  # who describes does not evaluate
        return Description(self._evaluator.interface, layers, self._fingerprint)

    def _evaluate(self, request: messages.Evaluate) -> messages.Evaluated:
        if len(request.source.encode()) > request.limits.source_kb * 1024:
            message = f"the source is longer than {request.limits.source_kb} KiB"
            return messages.Evaluated(Evaluation("invalid", error=message))
        workload = self._find(request.workload)
        for _ in range(2):
            try:
                play = self._plays(request.source, workload, request.limits)
                return messages.Evaluated(play.evaluation, play.wall)
            except ForkServerDied:
                self._drop_fork_server()
        raise HouseError(
            "sandbox_unavailable", "policy processes cannot be had: the fork-server died twice during one evaluation"
        )

    def _plays(self, source: str, workload: Workload, limits: Limits) -> Play:
        """One run of the workload, or that and as many plays as it takes to know the policy's time."""

        def perform(source: str, action: Callable[[JailedPolicy], Metrics]) -> Play:
            return self._perform(source, action, limits)

        if self._stopwatch is None:
            play = perform(source, lambda policy: self._evaluator.run(workload, policy))
        else:
            play = self._stopwatch.play(perform, source, workload)
        return replace(play, evaluation=_checked(play.evaluation, workload))

    def _perform(self, source: str, action: Callable[[JailedPolicy], Metrics], limits: Limits) -> Play:
        """What becomes of a policy, in a process of its own."""
        process, _ = self._server().spawn(limits.cpu_seconds, limits.memory_mb)
        policy = JailedPolicy(process, self._methods, limits)
        metrics: Metrics = {}
        cpu_seconds = 0.0
        try:
            policy.load(source)
            metrics = action(policy)
            cpu_seconds = policy.cpu_seconds()
        except PolicyFailure:
            pass
        except WrongAnswer as error:
            if policy.failure is None:
                return Play(Evaluation("wrong", error=clean(str(error)), seconds=policy.seconds))
        except Exception:
            if policy.failure is None:
                raise
        finally:
            process.end()
        if policy.failure is not None:  # even if the evaluator swallowed the exception
            failure = policy.failure
            return Play(Evaluation(failure.status, error=failure.message, seconds=policy.seconds), wall=failure.wall)
        return Play(Evaluation("ok", metrics, seconds=policy.seconds), cpu_seconds)


def _checked(evaluation: Evaluation, workload: Workload) -> Evaluation:
    """The same with its metrics as floats. Raises `HouseError` unless all of a success are finite numbers."""
    if evaluation.status != "ok":
        return evaluation
    numbers = {name: float(value) for name, value in evaluation.metrics.items()}
    bad = [name for name, value in numbers.items() if not math.isfinite(value)]
    if bad or not numbers:
        what = f"the metric {bad[0]} is {numbers[bad[0]]}" if bad else "no metric"
        raise HouseError("evaluator_error", f"workload {workload.name}: {what}; expected finite numbers")
    return replace(evaluation, metrics=numbers)


def main(descriptor: int) -> None:
    """Serve the coordinator at the other end of the descriptor until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the coordinator
    control = socket.socket(fileno=descriptor)
    kernel.die_with_parent(signal.SIGKILL)
    kernel.fix_addresses()  # of the fork-server, and so of policies: equal runs for equal sources
    decoder = msgspec.msgpack.Decoder(messages.Request)
    referee: Referee | None = None
    while (packet := _receive(control)) is not None:
        request = decoder.decode(packet)
        try:
            if isinstance(request, messages.Open):
                _stay_on(request.core)
                referee = Referee(request)
            assert referee is not None, "the first request opens the referee"
            reply = referee.answer(request)
        except InputError as error:
            reply = messages.Refused("input", str(error))
        except HouseError as error:
            reply = messages.Refused(error.status, str(error))
        except Exception as error:
            traceback.print_exc()
            reply = messages.Refused("evaluator_error", _where(error))
        data = msgspec.msgpack.encode(reply)
        control.sendall(messages.LENGTH.pack(len(data)) + data)


def _receive(control: socket.socket) -> bytes | None:
    """The next message, None when the coordinator has gone, also if it went before its death could be noticed."""
    header = control.recv(messages.LENGTH.size, socket.MSG_WAITALL)
    if len(header) < messages.LENGTH.size:
        return None
    size = messages.LENGTH.unpack(header)[0]
    packet = control.recv(size, socket.MSG_WAITALL)
    return packet if len(packet) == size else None


def _stay_on(core: int | None) -> None:
    """A referee and its policy take turns: on one core a round trip costs no waking of another."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def _where(error: Exception) -> str:
    """One line: the error, and where the evaluator was when a library raised it."""
    library = sysconfig.get_path("stdlib")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(library) or "site-packages" in frame.filename]
    frame = (own or frames)[-1]
    place = f"{frame.filename}:{frame.lineno}, in {frame.name}"
    return f"the evaluator failed: {type(error).__name__}: {error} ({place})"


if __name__ == "__main__":
    main(int(sys.argv[1]))
