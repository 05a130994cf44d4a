"""A user's own load history in place of the synthetic workloads.

Options (`--set options.history=...` or `options: {history: {...}}` in the problem):

    file          JSON or CSV, see `read_history`
    model         name in `evaluators.moe.shapes`; its experts must match the file
    nodes, gpus_per_node, slots
    serving       "decode" (default) or "prefill"
    interval      records between two rebalances (default 30)
    window        records observed before each (default 10)
    steps_per_record   engine steps that a record stands for (default 100)
    asynchronous  default true

A record is taken as one step's load. The first 60 % of the history are for training, the next 20 % for validation, the
last 20 % are reserved for test. Each part is cut into stretches of two intervals or more, at most 8 (24 in test: the
clusters of `verify`).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.moe.cost import CostModel
from evaluators.moe.hardware import Cluster
from evaluators.moe.shapes import ModelShape, shape
from evaluators.moe.timeline import Deployment
from evaluators.moe.trace import Phase, Trace

PARTS: dict[Split, tuple[float, float]] = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
MOST_STRETCHES: dict[Split, int] = {"train": 8, "validation": 8, "test": 24}
CSV_HEADER = ["step", "layer", "expert", "tokens"]
KINDS: dict[str, type[str] | type[int] | type[bool]] = {"str": str, "int": int, "bool": bool}

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Options:
    """What the user says of the deployment that was recorded."""

    file: str
    model: str
    nodes: int
    gpus_per_node: int
    slots: int
    serving: str = "decode"
    interval: int = 30
    window: int = 10
    steps_per_record: int = 100
    asynchronous: bool = True


class History:
    """A recorded history cut into workloads."""

    def __init__(self, options: Options, counts: Counts) -> None:
        self._options = options
        self._counts = counts
        self._digest = hashlib.sha256(counts.tobytes()).hexdigest()[:16]  # so that another file is another workload
        self._model: ModelShape = shape(options.model)

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> History:
        """Check the options and read the file. Raises InputError for either."""
        options = _options(given)
        counts = read_history(options.file)
        _check(options, counts)
        return cls(options, counts)

    def workloads(self, split: Split) -> Sequence[Workload]:
        """The stretches of a split, in order of time. The salt changes nothing: a recorded history is finite."""
        start, stop = (int(len(self._counts) * part) for part in PARTS[split])
        intervals = (stop - start) // self._options.interval
        if intervals < 2:
            raise InputError(
                f"{self._options.file}: {stop - start} records for {split} hold {intervals} intervals of "
                f"{self._options.interval}; at least 2 are needed: record more or lower options.history.interval"
            )
        stretches = min(MOST_STRETCHES[split], intervals // 2)
        edges = [start + intervals * k // stretches * self._options.interval for k in range(stretches + 1)]
        return [
            Workload(f"history-{a}-{b}", "history", f"history-{a}", {"digest": self._digest, "from": a, "to": b})
            for a, b in pairwise(edges)
        ]

    def deployment(self, parameters: Mapping[str, Any]) -> Deployment:
        """The stretch that a workload names; its first interval is only observed."""
        options = self._options
        counts = self._counts[parameters["from"] : parameters["to"]]
        by_interval = counts.reshape(-1, options.interval, *counts.shape[1:])
        scale = float(options.steps_per_record)
        windows = by_interval[:-1, -options.window :].sum(axis=1) * scale
        served = by_interval[1:]
        tokens = np.rint(served.sum(axis=(2, 3)) / (served.shape[2] * self._model.top_k)).astype(np.int64)
        phases = (cast(Phase, options.serving),) * options.interval
        trace = Trace(windows, served.astype(np.int32), phases, tokens)
        cost = CostModel(self._model, Cluster(options.nodes, options.gpus_per_node))
        steps = options.interval * options.steps_per_record
        return Deployment(cost, trace, options.slots, steps, options.asynchronous)


def read_history(file: str) -> Counts:
    """Tokens per expert, [records, layers, experts].

    JSON: `{"load_history": [{"logical_expert_load": [[...experts] ...layers]}, ...]}`, the dump of vLLM's expert load
    that expert-placement studies exchange, or `{"logical_count": [...]}` of SGLang's expert distribution recorder
    ([records, layers, experts]). CSV: header `step,layer,expert,tokens`, absent rows are zero.

    Raises:
        InputError: unreadable, or not of these forms.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot read the load history: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: the load history is not UTF-8 text; expected JSON or CSV") from None
    counts = _from_csv(file, text) if path.suffix.lower() == ".csv" else _from_json(file, text)
    if (counts < 0).any():
        raise InputError(f"{file}: record {int(np.argwhere(counts < 0)[0][0])} has a negative load")
    return counts


def _from_json(file: str, text: str) -> Counts:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    match data:
        case {"load_history": list(records)}:
            return _stack(file, [_load(file, index, record) for index, record in enumerate(records)])
        case {"logical_count": list(records)}:
            return _stack(file, [_matrix(file, index, record) for index, record in enumerate(records)])
        case _:
            raise InputError(f"{file}: expected an object with 'load_history' (vLLM) or 'logical_count' (SGLang)")


def _load(file: str, index: int, record: Any) -> Counts:
    if not isinstance(record, dict) or "logical_expert_load" not in record:
        raise InputError(f"{file}: load_history[{index}]: expected an object with 'logical_expert_load'")
    return _matrix(file, index, record["logical_expert_load"])


def _matrix(file: str, index: int, rows: Any) -> Counts:
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{file}: record {index}: expected numbers [layers, experts]") from None
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise InputError(f"{file}: record {index}: expected finite numbers [layers, experts], got shape {matrix.shape}")
    return np.asarray(np.rint(matrix).astype(np.int64))


def _stack(file: str, matrices: list[Counts]) -> Counts:
    if not matrices:
        raise InputError(f"{file}: the load history is empty")
    for index, matrix in enumerate(matrices):
        if matrix.shape != matrices[0].shape:
            raise InputError(
                f"{file}: record {index} has shape {matrix.shape}, record 0 {matrices[0].shape}; expected one shape"
            )
    return np.stack(matrices)


def _from_csv(file: str, text: str) -> Counts:
    rows = list(csv.reader(text.splitlines()))
    if not rows or [cell.strip() for cell in rows[0]] != CSV_HEADER:
        raise InputError(f"{file}:1: expected the header {','.join(CSV_HEADER)}")
    table = np.empty((len(rows) - 1, 4), dtype=np.int64)
    for line, row in enumerate(rows[1:], start=2):
        try:
            table[line - 2] = [int(cell) for cell in row]
        except ValueError:
            raise InputError(f"{file}:{line}: expected four integers step,layer,expert,tokens") from None
    if not len(table):
        raise InputError(f"{file}: the load history is empty")
    if (table[:, :3] < 0).any():
        raise InputError(f"{file}:{int(np.argwhere(table[:, :3] < 0)[0][0]) + 2}: negative step, layer or expert")
    _, records = np.unique(table[:, 0], return_inverse=True)
    counts = np.zeros((int(records.max()) + 1, int(table[:, 1].max()) + 1, int(table[:, 2].max()) + 1), dtype=np.int64)
    np.add.at(counts, (records, table[:, 1], table[:, 2]), table[:, 3])
    return counts


def _options(given: Mapping[str, Any]) -> Options:
    kinds = {field.name: KINDS[str(field.type)] for field in fields(Options)}
    for name, value in given.items():
        if name not in kinds:
            raise InputError(f"options.history: unknown key {name!r}; expected {', '.join(kinds)}")
        if type(value) is not kinds[name] or (isinstance(value, int) and kinds[name] is int and value < 1):
            wanted = "a positive integer" if kinds[name] is int else kinds[name].__name__
            raise InputError(f"options.history.{name}: expected {wanted}, got {value!r}")
    missing = [name for name in ("file", "model", "nodes", "gpus_per_node", "slots") if name not in given]
    if missing:
        raise InputError(f"options.history: missing {', '.join(missing)}")
    options = Options(**given)
    if options.serving not in ("prefill", "decode"):
        raise InputError(f"options.history.serving: expected 'prefill' or 'decode', got {options.serving!r}")
    if options.window > options.interval:
        raise InputError(f"options.history.window: {options.window} records exceed the interval of {options.interval}")
    return options


def _check(options: Options, counts: Counts) -> None:
    model = shape(options.model)
    if counts.shape[2] != model.experts:
        raise InputError(f"{options.file}: {counts.shape[2]} experts, but {model.name} has {model.experts}")
    gpus = options.nodes * options.gpus_per_node
    if options.slots < model.experts or options.slots % gpus:
        raise InputError(
            f"options.history.slots: expected a multiple of {gpus} GPUs, at least {model.experts}, got {options.slots}"
        )
    empty = counts.sum(axis=(1, 2)) == 0
    if empty.any():
        raise InputError(f"{options.file}: record {int(np.argmax(empty))} has no load; leave idle steps out")
