"""A user's own trace and measured profile in the problems that take them: what is asked for, cut, promised, refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cli import ROOT

from adrs.errors import InputError
from adrs.evaluation.protocol import SPLITS
from adrs.testing.direct import DirectPolicy
from evaluators.serving import ServingBatching, ServingCluster, ServingMoePrefill
from evaluators.serving.batching import recorded as batching
from evaluators.serving.cluster import recorded as cluster
from evaluators.serving.cost.builtin import table_path
from evaluators.serving.cost.deployment import deployment
from evaluators.serving.engine.capacity import throughput
from evaluators.serving.moe_prefill import recorded as moe_prefill
from evaluators.serving.recorded.trace import Trace
from evaluators.serving.request import Request
from evaluators.serving.slo.promises import RELAXED, STRICT, promised
from evaluators.serving.traffic.loaders import load

LLAMA, QWEN = "Llama-3.1-8B", "Qwen3-30B-A3B"
ENGINE = deployment(LLAMA, "H100")
EVALUATOR = {"batching": ServingBatching, "moe_prefill": ServingMoePrefill, "cluster": ServingCluster}
EVALUATORS = list(EVALUATOR.values())
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURSTGPT = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """400 requests, one a second, with prompts of 100 to 499 tokens."""
    path = tmp_path / "trace.csv"
    rows = [f"2024-01-01 00:{i // 60:02}:{i % 60:02}.5,{100 + 7 * i % 400},{5 + i % 30}" for i in range(400)]
    path.write_text(AZURE + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def conversations(tmp_path: Path) -> Path:
    """Seven users in turn, each with a document of 6 blocks of 512 tokens that grows by one with every question."""
    path = tmp_path / "mooncake.jsonl"
    path.write_text("\n".join(_question(i, user=i % 7, blocks=6 + i // 7) for i in range(126)) + "\n")
    return path


def _question(place: int, user: int, blocks: int) -> str:
    hashes = [100 * user + block for block in range(blocks)]
    fields = {"timestamp": 400 * place, "input_length": 512 * blocks, "output_length": 20, "hash_ids": hashes}
    return json.dumps(fields)


def policy(problem: str, name: str, monkeypatch: pytest.MonkeyPatch) -> DirectPolicy:
    """A published one."""
    monkeypatch.setitem(sys.modules, "interface", import_module(f"evaluators.serving.{problem}.interface"))
    return DirectPolicy.from_source((ROOT / "seeds" / f"serving_{problem}" / f"{name}.py").read_text())


# Streams


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_a_trace_is_cut_into_streams(trace: Path, evaluator: Callable[..., Any]) -> None:
    made = evaluator({"file": str(trace), "requests": 20, "loads": [0.5, 0.9]}, {"gpu": "A100"})
    lists = {split: made.workloads(split, 0) for split in SPLITS}
    assert [len(lists[split]) for split in SPLITS] == [24, 8, 8]
    assert len({each.hash for split in SPLITS for each in lists[split]}) == 40
    assert [each.parameters["stream"] for split in SPLITS for each in lists[split]][::2] == list(range(20))
    assert lists == {split: made.workloads(split, 1) for split in SPLITS}


@pytest.mark.parametrize(
    ("requests", "reserved"), [(130, [1, 1, 1]), (100, [2, 1, 1]), (80, [3, 1, 1]), (57, [4, 2, 1]), (40, [6, 2, 2])]
)
def test_each_split_has_a_stream(trace: Path, requests: int, reserved: list[int]) -> None:
    streams = Trace.from_options({"file": str(trace), "requests": requests}, ENGINE)
    assert [len(streams.places(split)) for split in SPLITS] == reserved
    assert [place for split in SPLITS for place in streams.places(split)] == list(range(len(streams.streams)))


def test_streams_begin_at_0_in_all_that_they_number(tmp_path: Path) -> None:
    """Three sessions in turn; the second stream begins in the midst of all of them."""
    path = tmp_path / "burstgpt.csv"
    rows = [f"{3 * i},user{i % 3},1,GPT-4,{50 + i},{7},0,Conversation log" for i in range(40)]
    path.write_text(BURSTGPT + "\n".join(rows) + "\n")
    for stream in Trace.from_options({"file": str(path), "requests": 10}, ENGINE).streams:
        assert [each.id for each in stream] == list(range(10))
        assert [each.arrival for each in stream] == [3.0 * i for i in range(10)]
        assert [each.session for each in stream] == [i % 3 for i in range(10)]
        assert [each.turn for each in stream] == [i // 3 for i in range(10)]


def test_requests_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    path, room = tmp_path / "trace.csv", ENGINE.kv_blocks * 16
    prompts = [room if i % 4 == 0 else 200 for i in range(60)]
    rows = [f"2024-01-01 00:00:{i:02},{prompt},9" for i, prompt in enumerate(prompts)]
    path.write_text(AZURE + "\n".join(rows) + "\n")
    streams = Trace.from_options({"file": str(path), "requests": 15}, ENGINE).streams
    assert [len(stream) for stream in streams] == [15, 15, 15]
    assert {each.prompt_tokens for stream in streams for each in stream} == {200}


def test_other_contents_under_the_same_name_are_other_workloads(trace: Path) -> None:
    options = {"file": str(trace), "requests": 20}
    before = ServingBatching(options).workloads("train", 0)
    assert before == ServingBatching(options).workloads("train", 0)
    trace.write_text(trace.read_text().replace(",100,", ",101,"))
    after = ServingBatching(options).workloads("train", 0)
    assert [each.name for each in before] == [each.name for each in after]
    assert not {each.hash for each in before} & {each.hash for each in after}


# What serves them


@pytest.mark.parametrize(("problem", "model"), [(batching, LLAMA), (moe_prefill, QWEN), (cluster, LLAMA)])
def test_a_measured_profile_serves(trace: Path, tmp_path: Path, problem: Any, model: str) -> None:
    """A table of one H100, and all its times doubled, on a GPU that has none: half the rate, twice the SLOs."""
    table = table_path(model, "H100", 1).read_text()
    for name, factor in (("same", 1.0), ("slow", 2.0)):
        (tmp_path / name).write_text(times(factor, table))
    options = {"file": str(trace), "requests": 20}
    same, slow = (
        problem.Recorded.from_options(options, {"gpu": "H200", "profile": str(tmp_path / name)})
        for name in ("same", "slow")
    )
    one, other = (requests_of(each, each.workloads("train")[0].parameters) for each in (same, slow))
    assert other[-1].arrival == pytest.approx(2 * one[-1].arrival)
    if problem is not cluster:  # which promises nothing
        assert (other[5].ttft_slo, other[5].tbt_slo) == pytest.approx((2 * one[5].ttft_slo, 2 * one[5].tbt_slo))
    assert {each.hash for each in same.workloads("train")}.isdisjoint(each.hash for each in slow.workloads("train"))


def requests_of(recorded: Any, parameters: Mapping[str, Any]) -> Sequence[Request]:
    """Those of a workload; none of a cluster have SLOs."""
    if isinstance(recorded, cluster.Recorded):
        return recorded.cluster(parameters)[1]
    requests: Sequence[Request] = recorded.case(parameters).requests
    return requests


def times(factor: float, table: str) -> str:
    """A profile's CSV, its last column multiplied."""
    header, *rows = table.splitlines()
    parts = [row.rsplit(",", 1) for row in rows]
    return "\n".join([header, *(f"{cells},{factor * float(milliseconds)}" for cells, milliseconds in parts)])


@pytest.mark.parametrize("load", [0.5, 0.9])
def test_a_load_is_a_share_of_what_the_engine_gets_through(trace: Path, load: float) -> None:
    recorded = batching.Recorded.from_options({"file": str(trace), "requests": 20, "loads": [load]}, {})
    requests = recorded.case(recorded.workloads("train")[2].parameters).requests
    most = throughput(recorded.trace.streams[2], recorded.deployment, cached=False)
    assert len(requests) / requests[-1].arrival == pytest.approx(load * most)


@pytest.mark.parametrize("ready", [1, 3])
def test_a_cluster_is_loaded_by_its_instances_that_are_ready(trace: Path, ready: int) -> None:
    options = {"gpu": "A100", "instances": 3, "ready": ready}
    recorded = cluster.Recorded.from_options({"file": str(trace), "requests": 20, "loads": [0.6]}, options)
    setting, requests = recorded.cluster(recorded.workloads("train")[2].parameters)
    assert (setting.instances, setting.ready, setting.prefix_cache) == (3, ready, False)
    most = throughput(recorded.trace.streams[2], setting.deployment, cached=False)
    assert len(requests) / requests[-1].arrival == pytest.approx(0.6 * ready * most)


def test_all_instances_are_ready_unless_the_options_say_less(trace: Path) -> None:
    given = {"file": str(trace), "requests": 20}
    for options, expected in (({}, (4, 4)), ({"instances": 2}, (2, 2)), ({"ready": 3}, (4, 3))):
        setting = cluster.Recorded.from_options(given, options).setting
        assert (setting.instances, setting.ready) == expected


def test_block_hashes_give_instances_prefix_caches(conversations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a user's questions to where the document is, computes less."""
    evaluator = ServingCluster({"file": str(conversations), "requests": 42, "loads": [0.5]}, {"gpu": "A100"})
    workload = evaluator.workloads("test", 0)[0]
    limits = evaluator.bound(workload)
    aware, robin = (
        evaluator.run(workload, policy("cluster", name, monkeypatch)) for name in ("cache_aware", "round_robin")
    )
    assert aware["cached_share"] > 2 * robin["cached_share"] > 0
    assert robin["gap_closed"] == pytest.approx(0.0) and robin["gap_closed"] < aware["gap_closed"]
    for metrics in (aware, robin):
        assert metrics["gap_closed"] <= limits["gap_closed"] <= 1
        assert all(metrics[key] >= limits[key] for key in ("ttft_tail_s", "e2e_tail_s", "instance_s"))


def test_without_hashes_there_is_no_prefix_cache(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = ServingCluster({"file": str(trace), "requests": 40, "loads": [0.9]}, {"instances": 3, "ready": 1})
    metrics = evaluator.run(evaluator.workloads("test", 0)[0], policy("cluster", "linear_score", monkeypatch))
    assert metrics["cached_share"] == 0.0


# What is promised


def test_batching_promises_by_the_prompt(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = ServingBatching({"file": str(trace), "requests": 20, "loads": [0.5, 0.9]}, {"gpu": "A100"})
    workload = evaluator.workloads("test", 0)[0]
    metrics = evaluator.run(workload, policy("batching", "vllm_v1", monkeypatch))
    assert 0 < metrics["slo_attainment"] <= evaluator.bound(workload)["slo_attainment"] <= 1
    assert metrics["throughput_requests_per_s"] > 0


@pytest.mark.parametrize(("word", "multiple"), [("strict", STRICT), ("relaxed", RELAXED)])
def test_moe_prefill_promises_all_the_same(trace: Path, word: str, multiple: float) -> None:
    """By the prompts of train, the first 12 of 20 streams: those of test decide nothing."""
    recorded = moe_prefill.Recorded.from_options({"file": str(trace), "requests": 20, "slo": word}, {"gpu": "A100"})
    prompts = [each.prompt_tokens for each in load(trace)[:240]]
    expected = promised(recorded.deployment, Request(0, 0.0, int(np.quantile(prompts, 0.9)), 1), multiple)
    for split in SPLITS:
        case = recorded.case(recorded.workloads(split)[0].parameters)
        slos = {(each.ttft_slo, each.tbt_slo) for each in case.requests}
        assert slos == {(expected.ttft_slo, expected.tbt_slo)}


def test_moe_prefill_runs_on_a_trace(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = ServingMoePrefill({"file": str(trace), "requests": 40, "loads": [0.9]})
    workload = evaluator.workloads("test", 0)[0]
    metrics = evaluator.run(workload, policy("moe_prefill", "layered", monkeypatch))
    assert 0 < metrics["slo_attainment"] <= evaluator.bound(workload)["slo_attainment"] <= 1
    assert metrics["expert_gigabytes_per_request"] > 0


# What is refused


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trace": {"rate": 3}}, "options.trace.rate: unknown key; expected file, requests, loads"),
        ({"trace": {"load": 1}}, "options.trace.load: unknown key"),
        ({"trace": {"file": 3}}, "options.trace.file: expected a trace's path"),
        ({"trace": {"file": "data:none"}}, "none"),
        ({"trace": {"requests": 5}}, "options.trace.requests: expected a whole number from 10, got 5"),
        ({"trace": {"requests": "20"}}, "options.trace.requests: expected a whole number from 10, got '20'"),
        ({"trace": {"requests": 200}}, "400 requests fit into the KV cache .* at least 3 streams of 200"),
        ({"trace": {"loads": []}}, r"options.trace.loads: expected numbers from 0.01 to 10, got \[\]"),
        ({"trace": {"loads": 0.5}}, "options.trace.loads: expected numbers from 0.01 to 10, got 0.5"),
        ({"trace": {"loads": [0.5, True]}}, "options.trace.loads: expected numbers"),
        ({"trace": {"loads": [0.5, 0.5]}}, r"options.trace.loads: expected each load once, got \[0.5, 0.5\]"),
        ({"trace": {"start": -1}}, "options.trace.start: expected a number of 0 or more, got -1"),
        (
            {"deployment": ["H100"]},
            r"options.deployment: expected the keys model, gpu, gpus, profile.*, got \['H100'\]",
        ),
        ({"deployment": {"card": "H100"}}, "options.deployment.card: unknown key; expected model, gpu, gpus, profile"),
        ({"deployment": {"model": 8}}, "options.deployment.model: expected a text, got 8"),
        ({"deployment": {"model": "GPT"}}, "options.deployment: model 'GPT': unknown; use one of"),
        ({"deployment": {"gpu": "H1000"}}, "options.deployment: GPU 'H1000': unknown; use one of"),
        ({"deployment": {"gpus": "2"}}, "options.deployment.gpus: expected a whole number from 1, got '2'"),
        ({"deployment": {"gpus": True}}, "options.deployment.gpus: expected a whole number from 1, got True"),
        ({"deployment": {"gpus": 3}}, "options.deployment: no built-in profile of .* on 3 H100"),
        ({"deployment": {"profile": 1}}, "options.deployment.profile: expected a text, got 1"),
        ({"deployment": {"profile": "/none.csv"}}, "options.deployment.profile: /none.csv: cannot be read"),
        ({"deployment": {"profile": "a\0b"}}, r"options.deployment.profile: 'a\\x00b': expected the path of a file"),
        ({"trace": {"file": "~nobody-here/x.csv"}}, "'~nobody-here/x.csv': there is no such user"),
        ({"trace": {"file": "a\0b"}}, r"'a\\x00b': expected the path of a file"),
        ({"trace": {"seconds": 10**400}}, "options.trace.seconds: expected a number above 0, got 1000"),
    ],
)
def test_wrong_options_are_named_in_one_line(
    trace: Path, evaluator: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    good = {"file": str(trace), "requests": 20}
    with pytest.raises(InputError, match=message) as raised:
        evaluator(good | options.get("trace", {}), options.get("deployment"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("given", [[1], 3, "conversation.csv"])
def test_a_trace_that_is_no_mapping_is_refused(evaluator: Callable[..., Any], given: Any) -> None:
    with pytest.raises(InputError, match=r"^options.trace: expected the keys file, requests, .*, got "):
        evaluator(given)


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_a_deployment_alone_is_refused(evaluator: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"^options.deployment: generated streams have theirs; give a trace, too"):
        evaluator(deployment={"gpu": "H100"})


@pytest.mark.parametrize("evaluator", [ServingBatching, ServingMoePrefill])
def test_promises_are_strict_or_relaxed(trace: Path, evaluator: Callable[..., Any]) -> None:
    for slo in ("lax", ["strict"], 5):
        with pytest.raises(InputError, match=r"^options.trace.slo: expected strict or relaxed, got "):
            evaluator({"file": str(trace), "requests": 20, "slo": slo})


@pytest.mark.parametrize(
    ("trace_options", "options", "message"),
    [
        ({"slo": "strict"}, {}, "options.trace.slo: unknown key; expected file, requests, loads, start"),
        ({}, {"instances": 0}, "options.deployment.instances: expected a whole number from 1 to 256, got 0"),
        ({}, {"instances": "4"}, "options.deployment.instances: expected a whole number from 1 to 256, got '4'"),
        ({}, {"ready": 5}, "options.deployment.ready: expected a whole number from 1 to 4, got 5"),
        ({}, {"instances": 2, "ready": 0}, "options.deployment.ready: expected a whole number from 1 to 2, got 0"),
        ({}, {"node": 1}, "options.deployment.node: unknown key; expected model, gpu, gpus, profile, instances, ready"),
    ],
)
def test_what_a_cluster_refuses(
    trace: Path, trace_options: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ServingCluster({"file": str(trace), "requests": 20} | trace_options, options)


def test_a_dense_model_has_no_experts_to_read(trace: Path) -> None:
    message = (
        r"^options.deployment.model: expected a mixture of experts \(Qwen3-30B-A3B or Mixtral-8x7B\), got the dense"
    )
    with pytest.raises(InputError, match=message):
        ServingMoePrefill({"file": str(trace), "requests": 20}, {"model": "Llama-3.1-8B"})


# Recorded traffic


@pytest.mark.parametrize(
    ("problem", "name", "metric"),
    [
        ("batching", "vllm_v1", "slo_attainment"),
        ("moe_prefill", "chunked", "slo_attainment"),
        ("cluster", "least_outstanding", "gap_closed"),
    ],
)
def test_the_recorded_hour(problem: str, name: str, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "azure_llm_2023"
    if not folder.is_dir():
        pytest.skip(f"no recorded traffic at {folder}; set ADRS_SHARED_DATA")
    monkeypatch.setenv("ADRS_DATA", str(folder))
    evaluator = EVALUATOR[problem]({"file": "data:azure-llm-2023-conv", "count": 600, "requests": 100, "loads": [0.7]})
    workload = evaluator.workloads("train", 0)[0]
    score = evaluator.run(workload, policy(problem, name, monkeypatch))[metric]
    assert score <= evaluator.bound(workload)[metric] and abs(score) > 0.01
