"""A user's own trace and deployment in place of the generated workloads.

Options (`--set options=...` or `options: {...}` in the problem):

    trace        file: a trace in a public format, or data:NAME of `adrs data`; start, seconds, count and only as in
                 `evaluators.serving.traffic.loaders`; requests: of a stream (default 400); loads: shares of the
                 capacity (default [0.6, 0.8, 1.0]); slo: "strict" (default) or "relaxed"
    deployment   model, gpu, gpus: see `evaluators.serving.cost` (default Llama-3.1-8B on one H100); profile: a CSV
                 file of measurements, for pairs that are not built in

The trace is cut into streams. The first 60 % of them are train, the next 20 % validation, and the rest test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.batching.case import at_load, throughput
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.cost.recorded import read_measurements
from evaluators.serving.request import Request
from evaluators.serving.slo.case import Case
from evaluators.serving.slo.promises import RELAXED, STRICT, promised
from evaluators.serving.traffic.loaders import load_options

DEFAULT_LOADS = (0.6, 0.8, 1.0)
DEFAULT_REQUESTS = 400
DEFAULT_DEPLOYMENT: dict[str, Any] = {"model": "Llama-3.1-8B", "gpu": "H100", "gpus": 1}
HERE = ("requests", "loads", "slo")  # keys of `trace` that are not the loader's
SELECTION = ("start", "seconds", "count", "only")  # those that are; its rates would be undone by `loads`
MULTIPLES = {"strict": STRICT, "relaxed": RELAXED}
MOST_TOKENS = 8192  # of an iteration
_ENDS = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}


@dataclass(frozen=True)
class Recorded:
    """Streams cut from a trace, at several loads."""

    streams: Sequence[Sequence[Request]]
    loads: Sequence[float]
    deployment: Deployment

    @classmethod
    def from_options(cls, trace: Mapping[str, Any], on: Mapping[str, Any]) -> Recorded:
        """Check the options and read the files. Raises InputError for either."""
        if not isinstance(trace, Mapping):
            raise InputError(f"options.trace: expected the keys file, {', '.join((*HERE, *SELECTION))}, got {trace!r}")
        unknown = sorted(str(name) for name in trace if name not in ("file", *HERE, *SELECTION))
        if unknown:
            expected = ", ".join(("file", *HERE, *SELECTION))
            raise InputError(f"options.trace.{unknown[0]}: unknown key; expected {expected}")
        here = {name: trace[name] for name in HERE if name in trace}
        requests = load_options({name: value for name, value in trace.items() if name not in here}, "options.trace")
        count, loads, slo = _checked(**here)
        engine = _deployment(on)
        room = engine.kv_blocks * engine.block_size
        fitting = [each for each in requests if each.prompt_tokens + each.output_tokens < room]
        streams = [fitting[start : start + count] for start in range(0, len(fitting) - count + 1, count)]
        if len(streams) < 3:
            raise InputError(
                f"options.trace: {len(fitting)} requests fit into the KV cache of {engine.name}; expected at least "
                f"3 streams of {count}; use a longer trace, or set requests"
            )
        return cls([_stream(each, engine, MULTIPLES[slo]) for each in streams], loads, engine)

    def workloads(self, split: Split) -> Sequence[Workload]:
        """The streams of a split in order of time, each at every load."""
        first, last = (round(share * len(self.streams)) for share in _ENDS[split])
        return [
            Workload(f"stream-{place}-{load}", "trace", f"stream-{place}", {"stream": place, "load": load})
            for place in range(first, last)
            for load in self.loads
        ]

    def case(self, parameters: Mapping[str, Any]) -> Case:
        """A workload ready to run."""
        requests = self.streams[parameters["stream"]]
        cached = any(request.prefix for request in requests)
        rate = parameters["load"] * throughput(requests, self.deployment, cached)
        return Case(at_load(requests, rate), self.deployment, cached)


def _stream(requests: Sequence[Request], on: Deployment, multiple: float) -> list[Request]:
    """A stream of its own: numbered from 0, from time 0 on, with SLOs."""
    begin = requests[0].arrival
    if requests[-1].arrival <= begin:
        raise InputError("options.trace: the requests of a stream all arrive at once; set a larger requests")
    return [
        promised(on, replace(request, id=place, arrival=request.arrival - begin), multiple)
        for place, request in enumerate(requests)
    ]


def _checked(requests: Any = DEFAULT_REQUESTS, loads: Any = DEFAULT_LOADS, slo: Any = "strict") -> tuple[int, Any, str]:
    if type(requests) is not int or requests < 10:
        raise InputError(f"options.trace.requests: expected a whole number from 10, got {requests!r}")
    numbers = isinstance(loads, (list, tuple)) and all(type(load) in (int, float) for load in loads)
    if not numbers or not loads or not all(0.01 <= load <= 10 for load in loads):
        raise InputError(f"options.trace.loads: expected numbers from 0.01 to 10, got {loads!r}")
    if len(set(loads)) < len(loads):
        raise InputError(f"options.trace.loads: expected each load once, got {loads!r}")
    if slo not in tuple(MULTIPLES):
        raise InputError(f"options.trace.slo: expected {' or '.join(MULTIPLES)}, got {slo!r}")
    return requests, loads, slo


def _deployment(given: Mapping[str, Any]) -> Deployment:
    expected = (*DEFAULT_DEPLOYMENT, "profile")
    if not isinstance(given, Mapping):
        raise InputError(f"options.deployment: expected the keys {', '.join(expected)}, got {given!r}")
    unknown = sorted(str(name) for name in given if name not in expected)
    if unknown:
        raise InputError(f"options.deployment.{unknown[0]}: unknown key; expected {', '.join(expected)}")
    chosen = DEFAULT_DEPLOYMENT | dict(given)
    for name, kind in (("model", str), ("gpu", str), ("gpus", int), ("profile", str)):
        if name in chosen and type(chosen[name]) is not kind:
            what = "a whole number" if kind is int else "a text"
            raise InputError(f"options.deployment.{name}: expected {what}, got {chosen[name]!r}")
    profile = chosen.pop("profile", None)
    cost = None if profile is None else read_measurements(Path(profile)).profile()
    return deployment(chosen["model"], chosen["gpu"], chosen["gpus"], cost=cost, limits=Limits(MOST_TOKENS))
