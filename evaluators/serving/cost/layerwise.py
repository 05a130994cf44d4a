"""Profiles measured layer by layer, as the profiler of LLMServingSim writes them (MIT, casys-kaist/LLMServingSim).

A folder holds `meta.yaml` and, for each degree of tensor parallelism, `tp<N>/` with `dense.csv` (layer, tokens),
`per_sequence.csv` (layer, sequences), `attention.csv` (prefill_chunk, kv_prefill, n_decode, kv_decode) and, of a
mixture of experts, `moe.csv` (tokens, activated_experts and, in later versions, ep); each may be gzipped. Times are
microseconds of one layer's kernels. Communication between GPUs is not among them and is modelled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from adrs.errors import InputError
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.experts import activated_experts
from evaluators.serving.cost.fit import AttentionTime
from evaluators.serving.cost.measurements import Measurements, chunk, decoding, together
from evaluators.serving.cost.models import BYTES, Model
from evaluators.serving.cost.profile import NOTHING, Grid

ONCE = ("embedding", "final_layernorm")  # not in every layer of the model
TWICE = ("layernorm",)  # before attention, and before the feed-forward layer
MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Link:
    """Between the GPUs of an instance.

    Args:
        seconds: Latency of a message.
    """

    bytes_per_second: float
    seconds: float

    def all_reduce(self, size: float, gpus: int) -> float:
        """Seconds of a ring all-reduce of `size` bytes: 2 (gpus - 1) messages of 1 / gpus of them."""
        return 2 * (gpus - 1) * (self.seconds + size / gpus / self.bytes_per_second)


def profile_subject(folder: Path) -> tuple[str, str]:
    """GPU and model that a folder's meta.yaml names. Raises InputError if it does not."""
    path = folder / "meta.yaml"
    try:
        meta = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read: {error}".replace("\n", " ")) from error
    for field in ("hardware", "model"):
        if not isinstance(meta, dict) or not isinstance(meta.get(field), str):
            raise InputError(f"{path}: no `{field}`; expected the meta.yaml of a profile")
    return meta["hardware"], meta["model"]


def read_layers(folder: Path, model: Model, gpus: int, link: Link, expert_parallel: bool = False) -> Measurements:
    """The measurements in a profile folder, without host work.

    Args:
        link: Over which the GPUs add up their parts, twice a layer.
        expert_parallel: Each GPU holds whole experts, not a part of each.

    Raises:
        InputError: A file is missing or lacks a column, or the model has layers that are not of a transformer.
    """
    tables = _Tables(folder, gpus)
    if tables.has("linear_attention"):
        raise InputError(f"{tables.folder}: layers of linear attention are not supported; profile a pure transformer")
    dense = tables.read("dense", ["layer", "tokens"], shared=True)
    return Measurements(
        linear=_linear(dense, model, gpus, link),
        head=_sum(tables.read("per_sequence", ["layer", "sequences"], shared=True), "sequences"),
        attention=_attention(tables, model.layers),
        experts=_experts(tables, model, gpus, expert_parallel) if model.experts else NOTHING,
    )


class _Tables:
    """The CSV files of one degree of tensor parallelism."""

    def __init__(self, folder: Path, gpus: int) -> None:
        self.folder, self.first = folder / f"tp{gpus}", folder / "tp1"
        if not self.folder.is_dir():
            found = ", ".join(sorted(path.name for path in folder.glob("tp*"))) or "none"
            raise InputError(f"{self.folder}: no such profile; there are {found}; profile this number of GPUs")

    def read(self, name: str, keys: list[str], shared: bool = False) -> pd.DataFrame:
        """A table with its key columns and time_us.

        Args:
            shared: Layers that only the table of one GPU has are the same on any number.
        """
        table = self._table(self.folder, name, keys)
        if not shared or self.first == self.folder or self._path(self.first, name) is None:
            return table
        others = self._table(self.first, name, keys)
        return pd.concat([table, others[~others["layer"].isin(table["layer"])]])

    def has(self, name: str) -> bool:
        return self._path(self.folder, name) is not None

    def read_first(self, name: str, keys: list[str]) -> pd.DataFrame:
        """Of one GPU."""
        return self._table(self.first, name, keys)

    def _table(self, folder: Path, name: str, keys: list[str]) -> pd.DataFrame:
        path = self._path(folder, name)
        if path is None:
            raise InputError(f"{folder}: no {name}.csv or {name}.csv.gz; expected the output of the profiler")
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read: {error}; expected a CSV file") from error
        missing = [key for key in (*keys, "time_us") if key not in table.columns]
        if missing or table.empty:
            found = f"no column {missing[0]!r}" if missing else "no rows"
            raise InputError(f"{path}: {found}; expected {', '.join(keys)}, time_us")
        numbers = [key for key in (*keys, "time_us") if key != "layer"]
        if not all(pd.api.types.is_numeric_dtype(table[key]) and table[key].ge(0).all() for key in numbers):
            raise InputError(f"{path}: {', '.join(numbers)}: expected numbers of 0 or more in every row")
        return table

    @staticmethod
    def _path(folder: Path, name: str) -> Path | None:
        paths = (folder / f"{name}.csv", folder / f"{name}.csv.gz")
        return next((path for path in paths if path.is_file()), None)


def _linear(dense: pd.DataFrame, model: Model, gpus: int, link: Link) -> Grid:
    times = dict.fromkeys(ONCE, 1) | dict.fromkeys(TWICE, 2 * model.layers)
    counts = dense["layer"].map(times).fillna(model.layers)
    layers = _sum(dense.assign(time_us=dense["time_us"] * counts), "tokens")
    added = [2 * model.layers * link.all_reduce(size * model.hidden * BYTES, gpus) for size in layers.sizes]
    return Grid(layers.sizes, tuple(seconds + more for seconds, more in zip(layers.seconds, added, strict=True)))


def _sum(table: pd.DataFrame, size: str) -> Grid:
    """Of all layers, at the sizes of any of them."""
    each = table.pivot_table(index=size, columns="layer", values="time_us").sort_index()
    total = each.interpolate(method="index").bfill().sum(axis=1) * MICRO
    return Grid(tuple(int(at) for at in total.index), tuple(float(seconds) for seconds in total))


def _attention(tables: _Tables, layers: int) -> tuple[AttentionTime, ...]:
    keys = ["prefill_chunk", "kv_prefill", "n_decode", "kv_decode"]
    table = tables.read("attention", keys)
    if "layer" in table and set(table["layer"]) != {"attention"}:
        raise InputError(f"{tables.folder}: sparse attention is not supported; profile a pure transformer")
    if "decode_q_len" in table:
        table = table[table["decode_q_len"] <= 1]
    rows = table[[*keys, "time_us"]].astype(dict.fromkeys(keys, int)).itertuples(index=False, name=None)
    return tuple(
        AttentionTime(
            together(chunk(before, tokens) if tokens else Batch(), decoding(sequences, context)), layers * time * MICRO
        )
        for tokens, before, sequences, context, time in rows
    )


def _experts(tables: _Tables, model: Model, gpus: int, expert_parallel: bool) -> Grid:
    """By tokens, at the number of experts that they activate on average if all are as popular.

    A table of one GPU serves for several: with a part of each expert on every GPU, each does its part of the work;
    with whole experts, each activates its part of them, as the rows of that `ep` were measured.
    """
    keys = ["tokens", "activated_experts"]
    split = not tables.has("moe")
    table = tables.read_first("moe", keys) if split else tables.read("moe", keys)
    degree = gpus if expert_parallel else 1
    if "ep" in table:
        table = table[table["ep"] == degree]
        if table.empty:
            raise InputError(f"{tables.folder}: moe.csv has no rows of ep {degree}; profile this expert parallelism")
    factor = MICRO * model.layers / (gpus if split and not expert_parallel else 1)
    sizes = sorted(int(size) for size in table["tokens"].unique())
    times = [_interpolated(table[table["tokens"] == size], activated_experts(model, size) / degree) for size in sizes]
    return Grid(tuple(sizes), tuple(factor * time for time in times))


def _interpolated(rows: pd.DataFrame, activated: float) -> float:
    rows = rows.sort_values("activated_experts")
    return float(np.interp(activated, rows["activated_experts"], rows["time_us"]))
