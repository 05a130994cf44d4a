from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scheduling_cases import policy

from adrs.errors import InputError
from evaluators.transactions import TransactionScheduling
from evaluators.transactions.generators import generate
from evaluators.transactions.trace import read_trace


def write_trace(path: Path, count: int) -> str:
    """YCSB as a user would record it: keys by name, kinds, fields that nobody asked for."""
    lines = (
        json.dumps(
            {
                "time": index,
                "kind": one.kind,
                "ops": [
                    ["w" if writes else "r", f"row:{key}"] for key, writes in zip(one.keys, one.writes, strict=True)
                ],
            }
        )
        for index, one in enumerate(generate("ycsb", count, 1, shortest=2, longest=6, records=500))
    )
    path.write_text("\n".join(lines) + "\n\n")
    return str(path)


def test_batches_are_cut_by_position(tmp_path: Path) -> None:
    evaluator = TransactionScheduling(trace={"file": write_trace(tmp_path / "t.jsonl", 1210), "batch": 10})
    starts = {
        split: [workload.parameters["start"] for workload in evaluator.workloads(split, 0)]
        for split in ("train", "validation", "test")
    }
    assert [min(starts[split]) for split in starts] == [0, 726, 968]
    assert [len(starts[split]) for split in starts] == [12, 24, 24]
    assert starts["train"][:3] == [0, 60, 120]  # evenly spaced over the 72 batches
    assert max(starts["test"]) + 10 <= 1210
    clusters = {workload.cluster for workload in evaluator.workloads("test", 0)}
    assert len(clusters) == 24
    assert evaluator.workloads("test", 1) == evaluator.workloads("test", 2)


def test_batches_hold_what_the_file_says(tmp_path: Path) -> None:
    file = write_trace(tmp_path / "t.jsonl", 1200)
    evaluator = TransactionScheduling(trace={"file": file, "batch": 10})
    workload = evaluator.workloads("train", 0)[1]
    metrics = evaluator.run(workload, policy("earliest_start"))
    assert metrics["bound_makespan"] == evaluator.bound(workload)["makespan"] <= metrics["makespan"]

    class Recorder:
        seconds = 0.0
        seen: list[Any]

        def call(self, function: str, transactions: list[Any]) -> Any:
            self.seen = transactions
            return [one.id for one in transactions]

    recorder = Recorder()
    evaluator.run(workload, recorder)
    start = workload.parameters["start"]
    lines = [json.loads(line) for line in Path(file).read_text().splitlines()[start : start + 10]]
    names: dict[str, int] = {}
    expected = [[names.setdefault(key, len(names)) for _, key in line["ops"]] for line in lines]
    assert [one.keys for one in recorder.seen] == expected
    assert [one.writes for one in recorder.seen] == [[what == "w" for what, _ in line["ops"]] for line in lines]
    assert [one.id for one in recorder.seen] == list(range(10))


def test_keys_are_texts_or_integers_and_kind_may_lack(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"ops": [["r", 1], ["w", "1"], ["w", -5]]}\n')
    (one,) = read_trace(str(tmp_path / "t.jsonl"))
    assert one.operations == ((1, False), ("1", True), (-5, True))


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"ops": [["r", 1]]}\n', encoding="utf-8-sig")
    assert len(read_trace(str(tmp_path / "t.jsonl"))) == 1


def test_another_file_makes_other_workloads(tmp_path: Path) -> None:
    file = write_trace(tmp_path / "a.jsonl", 1200)
    other = tmp_path / "b.jsonl"
    other.write_text(Path(file).read_text().replace('"r"', '"w"', 1))
    hashes = [
        TransactionScheduling(trace={"file": str(name), "batch": 10}).workloads("train", 0)[0].hash
        for name in (file, other)
    ]
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", ":2: not JSON; expected one transaction a line, like"),
        ("[" * 100_000, ":2: not JSON"),
        ('{"ops": [["r", ' + "9" * 5000 + "]]}", ":2: not JSON"),
        ('{"kind": "\\ud800", "ops": [["r", 1]]}', ':2: kind: expected a text, got "\\ud800"'),
        ("[]", ":2: expected an object with a list 'ops' of at least one operation"),
        ('{"ops": []}', ":2: expected an object with a list 'ops' of at least one operation"),
        ('{"kind": 3, "ops": [["r", 1]]}', ":2: kind: expected a text, got 3"),
        (
            '{"ops": [["r", 1], ["x", 1]]}',
            ':2: ops[1]: expected ["r", key] or ["w", key], the key a text or an integer',
        ),
        ('{"ops": [["r", true]]}', ":2: ops[0]: expected"),
        ('{"ops": [["r", 1.5]]}', ":2: ops[0]: expected"),
        ('{"ops": [["r"]]}', ":2: ops[0]: expected"),
        ('{"ops": ["r1"]}', 'got "r1"'),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text('{"ops": [["r", 1]]}\n' + line + "\n")
    with pytest.raises(InputError) as refusal:
        read_trace(str(file))
    assert str(refusal.value).startswith(f"{file}:2: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "options.trace.file: expected the path of a file of JSON lines, got None"),
        ({"file": "none.jsonl"}, "none.jsonl: cannot read the trace: No such file or directory"),
        ({"file": "none.jsonl", "batch": True}, "options.trace.batch: expected an integer of at least 2, got True"),
        ({"file": "none.jsonl", "batch": 1}, "options.trace.batch: expected an integer of at least 2, got 1"),
        ({"file": "none\0.jsonl"}, "options.trace.file: 'none\\x00.jsonl': embedded null byte"),
        ("trace.jsonl", "options.trace: expected {file: ..., batch: ...}, got 'trace.jsonl'"),
        ({"file": "none.jsonl", "size": 1}, "options.trace: unknown key 'size'; expected file, batch"),
    ],
)
def test_wrong_options_are_input_errors(options: Any, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        TransactionScheduling(trace=options)
    assert str(refusal.value) == message


def test_too_short_a_trace_says_how_much_is_needed(tmp_path: Path) -> None:
    file = write_trace(tmp_path / "t.jsonl", 1000)
    with pytest.raises(InputError) as refusal:
        TransactionScheduling(trace={"file": file, "batch": 50})
    assert str(refusal.value) == (
        f"{file}: the 20 % of 1000 transactions for test hold 4 batches of 50; at least 24 needed: "
        "record about 6001 transactions or lower options.trace.batch"
    )


def test_an_empty_or_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"of 0 transactions for train hold 0 batches of 100.* record about 12001 "):
        TransactionScheduling(trace={"file": str(tmp_path / "empty")})
    with pytest.raises(InputError, match="not UTF-8 text; expected JSON lines"):
        TransactionScheduling(trace={"file": str(tmp_path / "binary")})
