"""Writes the built-in profiles of the serving domain anew from NVIDIA's aiconfigurator, and says how well they fit.

    pip install 'adrs-toolkit[gpu]' && python benchmarks/serving_profiles.py [--check]

Prints, for each profile, the mean and the largest error of its formula against the sum of the kernel times, over
prefills of 32 to 8,192 tokens behind 0 to 16,384 cached ones and over decoding batches of 1 to 512 sequences with 512
to 8,192 tokens each. With --check, files are compared and not written.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from evaluators.serving.cost.aiconfigurator import Source, measure
from evaluators.serving.cost.builtin import TABLES, table_path
from evaluators.serving.cost.measurements import Measurements
from evaluators.serving.cost.recorded import write_measurements

SYSTEMS = {"A100": "a100_sxm", "H100": "h100_sxm"}
SOURCES = {
    "Llama-3.1-8B": "meta-llama/Meta-Llama-3.1-8B",
    "Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B",
    "Qwen3-32B": "Qwen/Qwen3-32B",
    "Qwen3-30B-A3B": "Qwen/Qwen3-30B-A3B",
    "Mixtral-8x7B": "mistralai/Mixtral-8x7B-v0.1",
}


def main() -> None:
    check = sys.argv[1:] == ["--check"]
    print("| model | GPU | GPUs | prefill: mean error, % | largest | decode: mean | largest |")
    print("|---|---|---|---|---|---|---|")
    for model, gpu, gpus in TABLES:
        measured = _measure(model, SYSTEMS[gpu], gpus)
        path = table_path(model, gpu, gpus)
        if check:
            _assert_same(path, measured)
        else:
            write_measurements(path, measured)
        errors = {decodes: [error for of, error in _errors(measured) if of == decodes] for decodes in (False, True)}
        cells = [f"{100 * sum(some) / len(some):.1f} | {100 * max(some):.1f}" for some in errors.values()]
        print(f"| {model} | {gpu} | {gpus} | {' | '.join(cells)} |")


def _measure(model: str, system: str, gpus: int) -> Measurements:
    """With the configuration that the package ships, so that nothing is downloaded."""
    config = files("aiconfigurator_core") / "model_configs" / f"{SOURCES[model].replace('/', '--')}_config.json"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(config.read_text())
        return measure(Source(folder, system, gpus))


def _assert_same(path: Path, measured: Measurements) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, path.name)
        write_measurements(again, measured)
        assert path.read_text() == again.read_text(), (
            f"{path} differs from the tables of this version; run without --check"
        )


def _errors(measured: Measurements) -> Iterator[tuple[bool, float]]:
    """Of each attention time: whether it decodes, and the error of the layers relative to them."""
    profile = measured.profile()
    for time in measured.attention:
        rest = profile.linear(time.batch.tokens) + profile.experts(time.batch.tokens)
        error = abs(profile.layers(time.batch) - rest - time.seconds) / (rest + time.seconds)
        yield time.batch.decodes > 0, error


if __name__ == "__main__":
    main()
