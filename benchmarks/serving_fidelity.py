"""How near the serving simulator comes to real engines.

    python benchmarks/serving_fidelity.py [--truth DIR ...] [--profiles DIR ...] [--model-config FILE]

1. Recorded runs of vLLM (folders of LLMServingSim: requests, time series, configuration) against the same requests
   through the simulator, with the layer times that were profiled on that GPU. Only the host's constants are fitted, on
   one run: the seconds of each scheduled sequence, or those and the seconds of a step. Each run is then judged with the
   constants of every other run, unfitted. All runs below the --truth folders are taken, with the profiles below the
   --profiles folders; by default those in ADRS_SHARED_DATA/llmservingsim.
2. vLLM 0.12 serving Qwen3-32B on 2, 4 and 8 H100 at fixed concurrency, as measured by NVIDIA (they come with the extra
   `gpu`), against the built-in profile and those of the extra, whose host constants come from elsewhere. Only TPOT is
   judged: TTFT depends on how the clients started and on the engine's token budget, which were not recorded.
3. Prompt and token times of Llama-2-70B on A100 and H100 as Splitwise measured them, with engines of 2023, against the
   built-in profile (ADRS_SHARED_DATA/splitwise_perf).

Parts whose data are not there are left out, and said so. Needs half a minute.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from functools import reduce
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from serving_runs import Floats, Host, Outcome, Run, fit_host, load_run, simulate

from adrs.errors import InputError
from evaluators.serving.cost.aiconfigurator import Source, measure
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.builtin import HOST, builtin_profile
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.cost.measurements import chunk, decoding, together
from evaluators.serving.cost.models import Model, read_model
from evaluators.serving.cost.profile import IterationCost
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request

DATA = Path(os.environ.get("ADRS_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
MEANS: Mapping[str, Callable[[Floats], float]] = {
    "mean": lambda values: float(values.mean()),
    "p50": lambda values: float(np.quantile(values, 0.50)),
    "p90": lambda values: float(np.quantile(values, 0.90)),
    "p99": lambda values: float(np.quantile(values, 0.99)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, action="append", help="folders below which runs lie")
    parser.add_argument("--profiles", type=Path, action="append", help="folders below which layer profiles lie")
    parser.add_argument("--model-config", type=Path, help="config.json of a model that is not known by name")
    options = parser.parse_args()
    model = read_model(options.model_config) if options.model_config else None
    compare_runs(
        options.truth or [DATA / "llmservingsim" / "vllm_ground_truth"],
        options.profiles or [DATA / "llmservingsim" / "profiles"],
        model,
    )
    if not options.truth:
        compare_concurrency()
        compare_splitwise()


# Recorded runs


def compare_runs(truths: list[Path], profiles: list[Path], model: Model | None) -> None:
    folders = sorted({path.parent for truth in truths for path in truth.rglob("meta.json")})
    if not folders:
        print(f"no runs below {', '.join(map(str, truths))}: left out\n")
        return
    runs = [load_run(folder, profiles, model) for folder in folders]
    hosts = {(run.name, step): fit_host(run, with_step=step) for run in runs for step in (False, True)}
    print("Host constants, fitted to the end-to-end latencies of a run\n")
    print("| fitted on | step, ms | sequence, us |\n|---|---|---|")
    for (name, step), host in hosts.items():
        print(f"| {name}, {'both' if step else 'sequence only'} | {1e3 * host.step:.2f} | {1e6 * host.sequence:.1f} |")
    for run in runs:
        print_run(run, hosts)


def print_run(run: Run, hosts: Mapping[tuple[str, bool], Host]) -> None:
    """A table of one run: measured, and the error of each way to simulate it."""
    others = [key for key in hosts if key[0] != run.name]
    ways = {"kernels alone": Host(0.0, 0.0), "fitted here": hosts[run.name, False]}
    ways |= {f"fitted on {name}{', both' if step else ''}": hosts[name, step] for name, step in others}
    ways |= {"fitted here, both": hosts[run.name, True]}
    results = [simulate(run, host) for host in ways.values()]
    deployed = run.setup.deployment
    source = "as it recorded" if run.setup.kv_recorded else "derived from its memory"
    print(f"\n{run.name}: {deployed.name}, {len(run.prompts)} requests, {deployed.max_sequences} sequences and")
    print(f"{deployed.max_batch_tokens} tokens an iteration, {deployed.kv_blocks} KV blocks ({source})\n")
    print(f"| | vLLM | {' | '.join(ways)} |\n|---|---|{'---|' * len(ways)}")
    measured, simulated = _figures(run.truth), [_figures(outcome) for outcome, _ in results]
    for name, truth in measured.items():
        print(f"| {name} | {truth:.4g} | {' | '.join(f'{each[name] / truth - 1:+.1%}' for each in simulated)} |")
    for name in ("running", "waiting"):
        truth = getattr(run.truth, name)
        cells = [f"{_rms(getattr(outcome, name) - truth):.1f}" for outcome, _ in results]
        print(f"| {name} over time: mean, rms difference | {truth.mean():.1f} | {' | '.join(cells)} |")
    if run.kv_use.any():
        cells = [f"{100 * _rms(use - run.kv_use):.1f}" for _, use in results]
        print(f"| KV use over time, %: mean, rms difference | {100 * run.kv_use.mean():.1f} | {' | '.join(cells)} |")


def _figures(outcome: Outcome) -> dict[str, float]:
    output = float(outcome.outputs.sum())
    figures = {"makespan, s": outcome.makespan, "throughput, output tokens/s": output / outcome.makespan}
    times = {"TPOT {}, ms": 1000 * outcome.tpot, "TTFT {}, s": outcome.ttft, "end to end {}, s": outcome.e2e}
    return figures | {name.format(which): mean(of) for name, of in times.items() for which, mean in MEANS.items()}


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.square(values).mean()))


# Fixed concurrency on H100

WAVES = 8  # requests a slot
POINT = ["isl", "osl", "batch_size", "silicon_tpot_ms", "silicon_ttft_ms"]
SERVER = Limits(max_batch_tokens=8192, max_sequences=1024)  # defaults of vLLM's server on an H100


def compare_concurrency() -> None:
    """Qwen3-32B in BF16 on H100: everybody who is answered asks again at once."""
    print("\nQwen3-32B on 2 H100, vLLM 0.12 at fixed concurrency; built-in profile\n")
    try:
        sample = pd.read_csv(str(files("aiconfigurator_core") / "systems" / "silicon_sample.csv"))
    except ModuleNotFoundError:
        print("left out: the extra `gpu` is not installed")
        return
    of = (sample["model_path"] == "Qwen/Qwen3-32B") & (sample["backend"] == "vllm") & sample["precision"].isna()
    points = sample[of & (sample["system"] == "h100_sxm")].sort_values(["isl", "osl", "batch_size"])
    host, engines = HOST["Qwen3-32B"], {2: deployment("Qwen3-32B", "H100", 2, limits=SERVER)}
    for gpus in (4, 8):
        cost = measure(Source("Qwen/Qwen3-32B", "h100_sxm", gpus), host.step / 1000, host.sequence / 1000).profile()
        engines[gpus] = deployment("Qwen3-32B", "H100", gpus, cost=cost, limits=SERVER)
    errors = {gpus: _compare_points(points[points["tp_size"] == gpus], engine) for gpus, engine in engines.items()}
    print("\n| GPUs | profile | points | TPOT: mean absolute error | mean error | largest |\n|---|---|---|---|---|---|")
    for gpus, found in errors.items():
        cells = f"{np.abs(found).mean():.1%} | {np.mean(found):+.1%} | {np.abs(found).max():.1%}"
        print(f"| {gpus} | {'built in' if gpus == 2 else 'extra `gpu`'} | {len(found)} | {cells} |")


def _compare_points(points: pd.DataFrame, engine: Deployment) -> list[float]:
    """Relative errors of TPOT; a row for each point where the engine has two GPUs."""
    errors = []
    if engine.gpus == 2:
        print("| prompt | output | concurrency | TPOT, ms: measured | simulated | error", end=" | ")
        print("TTFT, ms: measured | simulated |")
        print("|---|---|---|---|---|---|---|---|")
    for prompt, output, slots, real_tpot, real_ttft in points[POINT].itertuples(index=False):
        tpot, ttft = closed_loop(engine, prompt, output, int(slots))
        errors.append(tpot / real_tpot - 1)
        if engine.gpus == 2:
            cells = f"{real_tpot:.1f} | {tpot:.1f} | {errors[-1]:+.1%} | {real_ttft:.0f} | {ttft:.0f}"
            print(f"| {prompt} | {output} | {slots:.0f} | {cells} |")
    return errors


def closed_loop(engine: Deployment, prompt: int, output: int, slots: int) -> tuple[float, float]:
    """Mean TPOT and TTFT in milliseconds of `WAVES` requests in each slot, one after the other."""
    recorder = Recorder()
    instance = Instance(engine, VllmV1(), recorder)
    for i in range(slots):
        instance.submit(Request(i, 0.0, prompt, output), 0.0)
    asked = slots
    while not instance.idle:
        instance.advance(np.nextafter(instance.next_end(), np.inf))
        for _ in range(min(len(instance.ended), WAVES * slots - asked)):
            instance.submit(Request(asked, instance.clock, prompt, output), instance.clock)
            asked += 1
        instance.ended.clear()
    columns = recorder.columns()
    first, last = columns["first_token_at"], columns["finished_at"]
    return 1000 * float((last - first).mean()) / (output - 1), 1000 * float((first - columns["arrival"]).mean())


# Splitwise


def compare_splitwise() -> None:
    print("\nLlama-2-70B on 4 GPUs as Splitwise measured it (2023); built-in profile\n")
    path = DATA / "splitwise_perf" / "perf_model.csv"
    if not path.is_file():
        print(f"left out: no {path}; set ADRS_SHARED_DATA")
        return
    table = pd.read_csv(path)
    print_spread(table)
    table = table[(table["model"] == "llama2-70b") & (table["tensor_parallel"] == 4)]
    print("| GPU | what | points | simulated / measured: median | least | most |\n|---|---|---|---|---|---|")
    for gpu, hardware in {"A100": "a100-80gb", "H100": "h100-80gb"}.items():
        cost = builtin_profile("Llama-2-70B", gpu, 4)
        medians = (
            table[table["hardware"] == hardware]
            .groupby(["batch_size", "prompt_size", "token_size"])
            .median(numeric_only=True)
        )
        prompts, tokens = [], []
        for (batch, size, made), times in medians.iterrows():
            prompts.append(_seconds(cost, *[chunk(0, size)] * batch) * 1000 / times["prompt_time"])
            tokens.append(_seconds(cost, decoding(batch, size + made // 2)) * 1000 / times["token_time"])
        for what, ratios in (("prompt", prompts), ("token", tokens)):
            print(
                f"| {gpu} | {what} | {len(ratios)} | {np.median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |"
            )


def print_spread(table: pd.DataFrame) -> None:
    """How much a prompt's time varies between repetitions of one setting, of all models and GPUs."""
    setting = ["model", "hardware", "tensor_parallel", "batch_size", "prompt_size", "token_size"]
    times = table.groupby(setting)["prompt_time"]
    spread = (times.std() / times.mean())[times.size() >= 3]
    print(f"Repeated prompts, {len(spread)} settings: standard deviation {spread.median():.1%} of the mean in the")
    print(f"median, {spread.quantile(0.9):.1%} at the 90th percentile\n")


def _seconds(cost: IterationCost, *batches: Batch) -> float:
    """Of all of them in one iteration."""
    batch = reduce(together, batches)
    return cost.overhead(batch) + cost.layers(batch)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
