"""A user's own cluster and recorded rates in place of the synthetic workloads.

Options (`--set 'options={recording: {cluster: cluster.yaml, rates: rates.csv}}'`):

    cluster    YAML: what is served where
    rates      CSV: the header names the models of the cluster, in any order; each row holds their requests/s in the
               next stretch of time

The cluster:

    gpus: [72, 72, 126]        # GB of each for weights and KV cache
    period_seconds: 300        # between two calls of the policy
    stretch_seconds: 30        # that a row of the CSV stands for; whole numbers, a period holds one or more of them
    loader: sllm-disk          # a name in `loading.SECONDS_PER_GB`, or `seconds_per_gb: 0.1`
    models:
      chat: {weights_gb: 16.1, slo_seconds: 1, gpu: 0}    # gpu: where it starts; give it for all or for none

The first 60 % of the periods are for training, the next 20 % for validation, the last 20 % are reserved for test. Each
part is cut into spans of three periods or more, at most 8 (24 in test: the clusters of `verify`); the first period of a
span is only observed.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from adrs.yaml_tree import Located, Section, read_text, read_tree
from evaluators.placement.fleet import RESERVE, Fleet, Floats, Ints, initial_placement
from evaluators.placement.loading import SECONDS_PER_GB
from evaluators.placement.timeline import Cluster, Trace

PARTS: dict[Split, tuple[float, float]] = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
MOST_SPANS: dict[Split, int] = {"train": 8, "validation": 8, "test": 24}
SHORTEST = 3  # periods of a span


class Recording:
    """A recorded cluster cut into workloads."""

    def __init__(self, fleet: Fleet, initial: Ints, trace: Trace) -> None:
        self._fleet, self._initial, self._trace = fleet, initial, trace
        known = (fleet.slo, fleet.weights, fleet.load_seconds, fleet.memory, initial, trace.rates)
        self._digest = hashlib.sha256(b"".join(part.tobytes() for part in known)).hexdigest()[:16]

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Recording:
        """Check the options and read both files. Raises InputError for any of them."""
        paths = {key: given.get(key) for key in ("cluster", "rates")}
        if set(given) != set(paths) or not all(isinstance(path, str) for path in paths.values()):
            raise InputError(f"options.recording: expected the paths 'cluster' and 'rates', got {dict(given)!r}")
        cluster, rates = Path(str(paths["cluster"])), Path(str(paths["rates"]))
        fleet, initial, names, stretch, stretches = read_cluster(cluster)
        return cls(fleet, initial, Trace(read_rates(rates, names, stretches), stretch))

    def workloads(self, split: Split) -> Sequence[Workload]:
        """The spans of a split, in order of time. The salt changes nothing: a recording is finite."""
        start, stop = (int(len(self._trace.rates) * part) for part in PARTS[split])
        if stop - start < SHORTEST:
            raise InputError(
                f"options.recording: {len(self._trace.rates)} periods leave {stop - start} for {split}, which needs "
                f"{SHORTEST}; record more or lower period_seconds"
            )
        spans = min(MOST_SPANS[split], (stop - start) // SHORTEST)
        edges = [start + (stop - start) * span // spans for span in range(spans + 1)]
        return [
            Workload(f"recording-{a}-{b}", "recording", f"recording-{a}", {"digest": self._digest, "from": a, "to": b})
            for a, b in pairwise(edges)
        ]

    def cluster(self, parameters: Mapping[str, Any]) -> Cluster:
        """The span that a workload names."""
        rates = self._trace.rates[parameters["from"] : parameters["to"]]
        return Cluster(self._fleet, Trace(rates, self._trace.stretch_seconds), self._initial)


def read_cluster(path: Path) -> tuple[Fleet, Ints, list[str], int, int]:
    """The fleet, its first placement, the models' names, seconds of a stretch and stretches of a period.

    Raises:
        InputError: unreadable, a field missing, unknown or out of range, or weights that do not fit.
    """
    if not read_text(path, "the cluster").strip():
        raise InputError(f"{path}: the file is empty; expected gpus, models, loader, period_seconds, stretch_seconds")
    fields = ("gpus", "models", "loader", "seconds_per_gb", "period_seconds", "stretch_seconds")
    top = Section(read_tree(path), fields)
    memory = _memory(top.get("gpus", "a list of the GPUs' GB"))
    seconds = top.integers(("period_seconds", "stretch_seconds"), "a whole number of seconds, 1 or more", low=1)
    period, stretch = (seconds.get(key, 0) for key in ("period_seconds", "stretch_seconds"))
    if not stretch or not period or period % stretch:
        top.place.fail("expected period_seconds and stretch_seconds, the first a multiple of the second")
    if top.has("seconds_per_gb") == top.has("loader"):
        top.place.fail("expected either `loader` or `seconds_per_gb`")
    per_gb = top.numbers(("seconds_per_gb",), "seconds a GB, above 0", low=0, strict=True).get("seconds_per_gb")
    per_gb = per_gb or SECONDS_PER_GB[top.choice("loader", tuple(SECONDS_PER_GB))]
    place = top.get("models", "a mapping of each model's name to its weights_gb and slo_seconds")
    if not isinstance(place.value, dict) or not place.value:
        place.fail("expected a mapping of each model's name to its weights_gb and slo_seconds")
    models = {name: Section(model, ("weights_gb", "slo_seconds", "gpu")) for name, model in place.value.items()}
    weights = np.array([model.number("weights_gb", "GB, above 0", low=0, strict=True) for model in models.values()])
    slo = np.array([model.number("slo_seconds", "seconds, above 0", low=0, strict=True) for model in models.values()])
    fleet = Fleet(slo, weights, weights * per_gb, memory)
    return fleet, _first_placement(place, list(models.values()), fleet), list(models), stretch, period // stretch


def _memory(place: Located) -> Floats:
    sizes = place.plain()
    if not isinstance(sizes, list) or not sizes:
        place.fail("expected a list of the GPUs' GB")
    for size, item in zip(sizes, place.value, strict=True):
        if isinstance(size, bool) or not isinstance(size, int | float) or not RESERVE <= size < float("inf"):
            item.fail(f"expected GB of memory, {RESERVE:.0f} or more, not {item.kind}")
    return np.array(sizes, dtype=np.float64)


def _first_placement(place: Located, models: list[Section], fleet: Fleet) -> Ints:
    """Where the models say that they are, or weights spread evenly."""
    given = [model.integers(("gpu",), f"a GPU, 0 to {fleet.gpus - 1}", low=0).get("gpu") for model in models]
    known = [gpu for gpu in given if gpu is not None]
    if 0 < len(known) < len(given):
        place.fail(f"`gpu` is given for {len(known)} of {len(given)} models; give it for all or for none")
    placement = np.array(known, dtype=np.int64) if known else initial_placement(fleet)
    if placement is None:
        place.fail(f"the weights cannot be spread so that {RESERVE:.0f} GB stay free on every GPU; give `gpu` yourself")
    if placement.max() >= fleet.gpus:
        place.fail(f"GPU {placement.max()} is not among the {fleet.gpus} of `gpus`, which count from 0")
    if not fleet.fits(placement):
        gpu = int(np.argmin(fleet.free(placement)))
        place.fail(f"the weights on GPU {gpu} leave {fleet.free(placement)[gpu]:.1f} GB; {RESERVE:.0f} must stay free")
    return placement


def read_rates(path: Path, models: Sequence[str], stretches: int) -> Floats:
    """Requests/s, [periods, stretches, models]; rows that fill no period are left out at the end.

    Raises:
        InputError: unreadable, another header than the models, or cells that are no rates.
    """
    rows = list(csv.reader(read_text(path, "the rates").splitlines()))
    header = [cell.strip() for cell in rows[0]] if rows else []
    if sorted(header) != sorted(models):
        raise InputError(f"{path}:1: expected a header of the cluster's models {','.join(models)}, each once")
    values = np.empty((len(rows) - 1, len(header)))
    for line, row in enumerate(rows[1:], start=2):
        try:
            values[line - 2] = [float(cell) for cell in row]
        except ValueError:
            raise InputError(f"{path}:{line}: expected {len(header)} numbers, requests/s of each model") from None
        if not ((values[line - 2] >= 0) & np.isfinite(values[line - 2])).all():
            raise InputError(f"{path}:{line}: expected finite rates, 0 or more")
    periods = len(values) // stretches
    if not values.any():
        raise InputError(f"{path}: no row has a request; expected requests/s of each model")
    ordered = values[:, [header.index(model) for model in models]]
    return ordered[: periods * stretches].reshape(periods, stretches, len(models))
