from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moe_cases import policy

from adrs.errors import InputError
from evaluators.moe import ExpertPlacement
from evaluators.moe.history import read_history

COUNTS = np.random.default_rng(0).zipf(1.6, (300, 2, 8)).clip(max=500)


def options(file: str, **more: Any) -> dict[str, Any]:
    return {"file": file, "model": "mixtral-8x7b", "nodes": 1, "gpus_per_node": 8, "slots": 16} | more


def vllm_file(folder: Path, counts: np.ndarray = COUNTS) -> Path:
    path = folder / "expert-load.json"
    path.write_text(json.dumps({"load_history": [{"logical_expert_load": record.tolist()} for record in counts]}))
    return path


def test_reads_the_three_forms_alike(tmp_path: Path) -> None:
    sglang = tmp_path / "recorder.json"
    sglang.write_text(json.dumps({"logical_count": COUNTS.tolist()}))
    table = tmp_path / "loads.csv"
    rows = [f"{10 + s},{layer},{e},{n}" for (s, layer, e), n in np.ndenumerate(COUNTS)]
    table.write_text("step,layer,expert,tokens\n" + "\n".join(rows))
    for path in (vllm_file(tmp_path), sglang, table):
        assert np.array_equal(read_history(str(path)), COUNTS)


def test_history_is_cut_in_time_and_scored(tmp_path: Path) -> None:
    evaluator = ExpertPlacement(history=options(str(vllm_file(tmp_path)), interval=10, window=5))
    train, validation, test = (evaluator.workloads(split, 9) for split in ("train", "validation", "test"))
    spans = [(w.parameters["from"], w.parameters["to"]) for w in (*train, *validation, *test)]
    assert spans[0][0] == 0 and spans[-1][1] == 300
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert len(train) == 8
    assert evaluator.run(train[0], policy("no_rebalancing"))["gap_closed"] == 0.0
    assert evaluator.run(train[0], policy("greedy"))["gap_closed"] <= 1.0


def test_windows_are_the_last_records_before_each_interval(tmp_path: Path) -> None:
    """A policy sees 100 engine steps for each of the 5 records before the interval, and nothing later."""
    evaluator = ExpertPlacement(history=options(str(vllm_file(tmp_path)), interval=10, window=5))
    seen = []

    class Recorder:
        seconds = 0.0

        def call(self, function: str, *arguments: Any) -> Any:
            seen.append(arguments[0])
            return arguments[5]

    workload = evaluator.workloads("train", 0)[1]
    evaluator.run(workload, Recorder())
    start = workload.parameters["from"]
    assert np.array_equal(seen[0], COUNTS[start + 5 : start + 10].sum(axis=0) * 100)
    assert len(seen) == (workload.parameters["to"] - start) // 10 - 1


def test_another_file_is_another_workload(tmp_path: Path) -> None:
    first = ExpertPlacement(history=options(str(vllm_file(tmp_path)), interval=10)).workloads("train", 0)
    second = ExpertPlacement(history=options(str(vllm_file(tmp_path, COUNTS + 1)), interval=10)).workloads("train", 0)
    assert not {w.hash for w in first} & {w.hash for w in second}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expert-load.json:1: not JSON"),
        ("[]", "expected an object with 'load_history'"),
        ('{"load_history": []}', "the load history is empty"),
        ('{"load_history": [3]}', "load_history[0]: expected an object with 'logical_expert_load'"),
        ('{"load_history": [{"logical_expert_load": [[1, 2], [3]]}]}', "record 0: expected numbers"),
        ('{"load_history": [{"logical_expert_load": [[1, "x"]]}]}', "record 0: expected numbers"),
        ('{"load_history": [{"logical_expert_load": [1, 2]}]}', "record 0: expected finite numbers [layers, experts]"),
        ('{"load_history": [{"logical_expert_load": [[NaN, 2]]}]}', "record 0: expected finite numbers"),
        ('{"logical_count": [[[1, 2]], [[1, 2, 3]]]}', "record 1 has shape (1, 3), record 0 (1, 2)"),
        ('{"logical_count": [[[1, 2]], [[1, -2]]]}', "record 1 has a negative load"),
        ('{"logical_count": [[[1, 2, 3]]]}', "3 experts, but mixtral-8x7b has 8"),
        ('{"logical_count": [[[1,1,1,1,1,1,1,1]], [[0,0,0,0,0,0,0,0]]]}', "record 1 has no load"),
    ],
)
def test_unusable_json_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "expert-load.json"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        ExpertPlacement(history=options(str(path)))
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "loads.csv:1: expected the header"),
        ("a,b\n", "loads.csv:1: expected the header"),
        ("step,layer,expert,tokens\n", "is empty"),
        ("step,layer,expert,tokens\n1,2,3\n", "loads.csv:2: expected four integers"),
        ("step,layer,expert,tokens\n1,0,0,5\n1,0,x,5\n", "loads.csv:3: expected four integers"),
        ("step,layer,expert,tokens\n1,0,0,5\n1,-1,0,5\n", "loads.csv:3: negative"),
    ],
)
def test_unusable_csv_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_history(str(path))
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": 12}, "options.history.slots: expected a multiple of 8 GPUs, at least 8, got 12"),
        ({"slots": "16"}, "options.history.slots: expected a positive integer"),
        ({"nodes": 0}, "options.history.nodes: expected a positive integer"),
        ({"colour": 1}, "options.history: unknown key 'colour'"),
        ({"serving": "both"}, "options.history.serving"),
        ({"window": 40}, "options.history.window: 40 records exceed the interval of 30"),
        ({"model": "gpt-2"}, "unknown model 'gpt-2'"),
        ({"file": "/nowhere/x.json"}, "/nowhere/x.json: cannot read the load history"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        ExpertPlacement(history=options(str(vllm_file(tmp_path))) | change)
    assert message in str(refusal.value)


def test_a_tensor_dump_is_refused_as_no_text(tmp_path: Path) -> None:
    (tmp_path / "recorder.pt").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_history(str(tmp_path / "recorder.pt"))


def test_missing_options_are_named() -> None:
    with pytest.raises(InputError, match=r"options\.history: missing model, nodes, gpus_per_node, slots"):
        ExpertPlacement(history={"file": "x.json"})


def test_too_short_a_history_is_refused_when_listed(tmp_path: Path) -> None:
    evaluator = ExpertPlacement(history=options(str(vllm_file(tmp_path, COUNTS[:100]))))
    with pytest.raises(InputError, match="20 records for test hold 0 intervals of 30"):
        evaluator.workloads("test", 0)
