"""A recorded trace cut into streams, which are reserved for the splits in order of time: the option `trace`.

The first 60 % of the streams are train, the next 20 % validation, and the rest test; each has one at least.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.capacity import at_load, throughput
from evaluators.serving.recorded.options import check_keys, whole
from evaluators.serving.request import Request
from evaluators.serving.traffic.loaders import load_options

WHERE = "options.trace"
SELECTION = ("file", "start", "seconds", "count", "only")  # the loader's; its rates would be undone by `loads`
DEFAULT_REQUESTS, DEFAULT_LOADS = 400, (0.6, 0.8, 1.0)
FEWEST_REQUESTS, FEWEST_STREAMS = 10, 3
TRAIN, VALIDATION = 0.6, 0.8  # where they end


@dataclass(frozen=True)
class Trace:
    """Streams of requests, each served at every load.

    Args:
        streams: In order of time; each with requests numbered from 0, from 0 s on.
        loads: Shares of the capacity.
        digest: Of the requests and of the engine, so that workloads of other files are others.
    """

    streams: Sequence[Sequence[Request]]
    loads: Sequence[float]
    digest: str

    @classmethod
    def from_options(
        cls, given: Mapping[str, Any], on: Deployment, more: Sequence[str] = (), requests: int = DEFAULT_REQUESTS
    ) -> Trace:
        """Check the options and read the file; requests that do not fit into the KV cache are left out.

        Args:
            more: Keys that the problem has beside these; it reads them itself.
            requests: Of a stream, where the options do not say.

        Raises:
            InputError: wrong options, a file that cannot be used, or one that is too short.
        """
        check_keys(WHERE, given, (SELECTION[0], "requests", "loads", *more, *SELECTION[1:]))
        count = whole(f"{WHERE}.requests", given.get("requests", requests), FEWEST_REQUESTS)
        loads = _loads(given.get("loads", DEFAULT_LOADS))
        chosen = {name: value for name, value in given.items() if name in SELECTION}
        streams = _cut(load_options(chosen, WHERE), count, on)
        return cls(streams, loads, _digest(streams, on))

    def workloads(self, split: Split) -> list[Workload]:
        """The streams of a split in order of time, each at every load. No salt: a trace is finite."""
        return [
            Workload(
                f"stream-{place}-{load}",
                "trace",
                f"stream-{place}",
                {"digest": self.digest, "stream": place, "load": load},
            )
            for place in self.places(split)
            for load in self.loads
        ]

    def places(self, split: Split) -> range:
        """Which streams are reserved for a split."""
        count = len(self.streams)
        train, validation = min(round(TRAIN * count), count - 2), min(round(VALIDATION * count), count - 1)
        return {"train": range(train), "validation": range(train, validation), "test": range(validation, count)}[split]

    @cached_property
    def has_hashes(self) -> bool:
        """Whether the file says which prompts begin alike."""
        return any(request.prefix for stream in self.streams for request in stream)

    def at_load(self, parameters: Mapping[str, Any], on: Deployment, cached: bool, instances: int = 1) -> list[Request]:
        """The requests of a workload, at its share of what so many instances get through at best.

        What one gets through is measured on this stream alone, there at once, until its last request is answered.

        Args:
            cached: Whether an instance has a prefix cache.
            instances: Those that serve at the start.
        """
        requests = self.streams[parameters["stream"]]
        return at_load(requests, parameters["load"] * instances * throughput(requests, on, cached))


def _digest(streams: Sequence[Sequence[Request]], on: Deployment) -> str:
    digest = hashlib.sha256(repr(on).encode())
    for stream in streams:
        for request in stream:
            digest.update(repr(request).encode())
    return digest.hexdigest()[:16]


def _loads(given: Any) -> Sequence[float]:
    numbers = isinstance(given, (list, tuple)) and all(type(load) in (int, float) for load in given)
    if not numbers or not given or not all(0.01 <= load <= 10 for load in given):
        raise InputError(f"{WHERE}.loads: expected numbers from 0.01 to 10, got {given!r}")
    if len(set(given)) < len(given):
        raise InputError(f"{WHERE}.loads: expected each load once, got {given!r}")
    return list(given)


def _cut(requests: Sequence[Request], count: int, on: Deployment) -> list[list[Request]]:
    """Streams of `count` requests that fit; what is left over at the end is left out."""
    room = on.kv_blocks * on.block_size
    fitting = [each for each in requests if each.prompt_tokens + each.output_tokens < room]
    streams = [_stream(fitting[start : start + count]) for start in range(0, len(fitting) - count + 1, count)]
    if len(streams) < FEWEST_STREAMS:
        raise InputError(
            f"{WHERE}: {len(fitting)} requests fit into the KV cache of {on.name}; expected at least "
            f"{FEWEST_STREAMS} streams of {count}; use a longer trace, or set requests"
        )
    return streams


def _stream(requests: Sequence[Request]) -> list[Request]:
    """A stream of its own, whose time, requests, sessions and turns begin at 0."""
    begin = requests[0].arrival
    if requests[-1].arrival <= begin:
        raise InputError(f"{WHERE}: the requests of a stream all arrive at once; set a larger requests")
    sessions: dict[int, int] = {-1: -1}
    turns: Counter[int] = Counter()
    stream = []
    for place, each in enumerate(requests):
        session = sessions.setdefault(each.session, len(sessions) - 1)
        turn = turns[session] if session >= 0 else each.turn
        turns[session] += 1
        stream.append(replace(each, id=place, arrival=each.arrival - begin, session=session, turn=turn))
    return stream
