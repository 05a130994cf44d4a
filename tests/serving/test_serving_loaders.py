"""Recorded traces in public formats: what is read, what is selected, and what is refused in one line."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cli import ROOT

from adrs.errors import InputError
from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic.loaders import Selection, load, load_options

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
AZURE_2023 = AZURE + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
AZURE_2024 = AZURE + "2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:01+00:00,2399,6\n"
BURST_OLD = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
BURST_NEW = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def trace(folder: Path, text: str | bytes, name: str = "trace") -> Path:
    """A file with that text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def columns(requests: list[Request]) -> list[tuple[float, int, int]]:
    """Arrival, prompt and answer."""
    return [(round(one.arrival, 5), one.prompt_tokens, one.output_tokens) for one in requests]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AZURE_2023, [(0.0, 374, 44), (4.31458, 396, 109)]),
        (AZURE_2024, [(0.0, 2162, 5), (0.99007, 2399, 6)]),
        ("\ufeff" + AZURE_2023.replace("\n", "\r\n"), [(0.0, 374, 44), (4.31458, 396, 109)]),
        ("GeneratedTokens, ContextTokens,TIMESTAMP\n7,5,2023-11-16 18:15:46\n\n", [(0.0, 5, 7)]),
    ],
    ids=["2023", "2024", "Windows", "columns in another order"],
)
def test_azure(tmp_path: Path, text: str, expected: list[tuple[float, int, int]]) -> None:
    for name, data in (("plain", text.encode()), ("compressed", gzip.compress(text.encode()))):
        assert columns(load(trace(tmp_path, data, name))) == expected


def test_burstgpt_without_sessions_leaves_failures_out(tmp_path: Path) -> None:
    text = (
        BURST_OLD + "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,0,0,0,Conversation log\n60,GPT-4,9,1,10,API log\n"
    )
    made = load(trace(tmp_path, text))
    assert columns(made) == [(0.0, 472, 18), (55.0, 9, 1)]
    assert {(one.session, one.turn) for one in made} == {(-1, 0)}


def test_burstgpt_with_sessions(tmp_path: Path) -> None:
    rows = ["7.0,b,43,GPT-4,906,446,1352,Conversation log", "9.5,,2,ChatGPT,36,29,65,API log",
            "8.0,a,2,ChatGPT,36,29,65,Conversation log", "19.0,b,2,GPT-4,1400,2,1402,Conversation log"]  # fmt: skip
    made = load(trace(tmp_path, BURST_NEW + "\n".join(rows)))
    assert [(one.id, one.arrival, one.session, one.turn) for one in made] == [
        (0, 0.0, 0, 0), (1, 1.0, 1, 0), (2, 2.5, -1, 0), (3, 12.0, 0, 1),
    ]  # fmt: skip


def jsonl(*lines: Mapping[str, Any]) -> str:
    """JSON lines."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def mooncake(timestamp: int, prompt: int, answer: int, *hashes: int) -> dict[str, Any]:
    """One line."""
    return {"timestamp": timestamp, "input_length": prompt, "output_length": answer, "hash_ids": list(hashes)}


def test_mooncake_blocks_are_streams(tmp_path: Path) -> None:
    text = jsonl(mooncake(0, 1100, 50, 46, 47, 9), mooncake(3000, 1024, 5, 46, 47), mooncake(3000, 600, 5, 46, 8))
    made = load(trace(tmp_path, text))
    assert columns(made) == [(0.0, 1100, 50), (3.0, 1024, 5), (3.0, 600, 5)]
    assert made[0].prefix == (Segment(0, 512), Segment(1, 512), Segment(2, 76))
    assert made[1].prefix == made[0].prefix[:2]
    assert made[2].prefix == (Segment(0, 512), Segment(3, 88))


def test_mooncake_tokens_without_a_hash_are_nobodys(tmp_path: Path) -> None:
    made = load(trace(tmp_path, jsonl(mooncake(0, 1100, 5, 1), mooncake(1, 1100, 5, 1), mooncake(2, 40, 5))))
    assert made[0].prefix == (Segment(0, 512), Segment(1, 588))
    assert made[1].prefix == (Segment(0, 512), Segment(2, 588))
    assert made[2].prefix == ()


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=12), st.data())
@settings(max_examples=40, derandomize=True, deadline=None)
def test_mooncake_prompts_share_exactly_what_their_hashes_share(
    tmp_path_factory: pytest.TempPathFactory, chains: list[list[int]], data: st.DataObject
) -> None:
    """However hash ids recur, a key stands behind the same keys wherever it occurs."""
    lines = []
    for chain in chains:
        rest = data.draw(st.integers(1, 512)) if chain else 1
        lines.append(mooncake(0, max(len(chain) * 512 - 512, 0) + rest, 1, *chain))
    made = load(trace(tmp_path_factory.mktemp("chains"), jsonl(*lines)))
    before: dict[int, tuple[int, ...]] = {}
    for request, chain in zip(made, chains, strict=True):
        keys = tuple(segment.key for segment in request.prefix)
        assert len(keys) == len(chain)
        assert not keys or sum(segment.tokens for segment in request.prefix) == request.prompt_tokens
        for place, key in enumerate(keys):
            assert before.setdefault(key, keys[:place]) == keys[:place]
    for one, left in zip(made, chains, strict=True):
        for other, right in zip(made, chains, strict=True):
            same = [a.key == b.key for a, b in zip(one.prefix, other.prefix, strict=False)]
            agree = [left[: n + 1] == right[: n + 1] for n in range(min(len(left), len(right)))]
            assert same == agree


FIVE = AZURE + "".join(f"2023-11-16 18:00:{second:02d},{second + 1},1\n" for second in (0, 10, 20, 30, 40))


@pytest.mark.parametrize(
    ("selection", "arrivals"),
    [
        (Selection(), [0, 10, 20, 30, 40]),
        (Selection(start=10), [0, 10, 20, 30]),
        (Selection(start=5, seconds=25), [5, 15]),
        (Selection(seconds=20), [0, 10]),
        (Selection(count=2), [0, 10]),
        (Selection(speed=2), [0, 5, 10, 15, 20]),
        (Selection(rate=1), [0, 1, 2, 3, 4]),
        (Selection(start=5, count=3, rate=0.05), [10, 30, 50]),
        (Selection(only={"ContextTokens": "21"}), [20]),
    ],
    ids=str,
)
def test_selections(tmp_path: Path, selection: Selection, arrivals: list[float]) -> None:
    made = load(trace(tmp_path, FIVE), selection)
    assert [one.arrival for one in made] == pytest.approx(arrivals)
    assert [one.id for one in made] == list(range(len(arrivals)))


def test_rows_out_of_order_are_sorted(tmp_path: Path) -> None:
    lines = FIVE.splitlines()
    made = load(trace(tmp_path, "\n".join([lines[0], lines[3], lines[1], lines[5], lines[2], lines[4]])))
    assert [(one.arrival, one.prompt_tokens) for one in made] == [(0, 1), (10, 11), (20, 21), (30, 31), (40, 41)]


def test_a_window_is_read_without_the_rest_of_the_file(tmp_path: Path) -> None:
    """What lies more than an hour behind the window is not even looked at."""
    text = FIVE + "2023-11-16 20:00:00,1,1\nthis is no row\n"
    assert len(load(trace(tmp_path, text), Selection(seconds=60))) == 5
    with pytest.raises(InputError, match=":8: expected 3 cells"):
        load(trace(tmp_path, text))


OPTIONS = {
    "no mapping": ([], "serving.file: expected a trace's path"),
    "no file": ({"start": 1}, "serving.file: expected a trace's path"),
    "unknown": ({"file": "x", "begin": 1}, "serving.begin: unknown; expected start, seconds"),
    "negative": ({"file": "x", "start": -1}, "serving.start: expected a number of 0 or more, got -1"),
    "not a number": ({"file": "x", "seconds": "60"}, "serving.seconds: expected a number above 0, got '60'"),
    "nan": ({"file": "x", "speed": float("nan")}, "serving.speed: expected a number above 0, got nan"),
    "truth": ({"file": "x", "rate": True}, "serving.rate: expected a number above 0, got True"),
    "none": ({"file": "x", "count": 0}, "serving.count: expected a whole number from 1, got 0"),
    "half": ({"file": "x", "count": 1.5}, "serving.count: expected a whole number"),
    "both": ({"file": "x", "speed": 2, "rate": 2}, "serving: expected speed or rate, got both"),
    "only": ({"file": "x", "only": {"Model": 4}}, "serving.only: expected columns and their values"),
    "missing": ({"file": "nowhere.csv"}, "nowhere.csv: cannot read the trace: No such file"),
    "folder": ({"file": "."}, ".: cannot read the trace: Is a directory"),
    "unknown data": ({"file": "data:azure"}, "azure: no such data set"),
}


@pytest.mark.parametrize(("given", "says"), OPTIONS.values(), ids=OPTIONS)
def test_wrong_options_are_one_line(given: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load_options(given, "serving")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_options_select(tmp_path: Path) -> None:
    made = load_options({"file": str(trace(tmp_path, FIVE)), "start": 10, "count": 2, "speed": 10}, "serving")
    assert [one.arrival for one in made] == pytest.approx([0, 1])


WRONG = {
    "empty": ("", ":1: not a known trace; expected a header"),
    "a letter": ("Dear all,\n", ":1: not a known trace"),
    "header alone": (AZURE, ": no requests in the window"),
    "column missing": ("TIMESTAMP,ContextTokens\n1,2\n", ":1: expected one column GeneratedTokens"),
    "column twice": (
        "TIMESTAMP,ContextTokens,ContextTokens,GeneratedTokens\n",
        ":1: expected one column ContextTokens",
    ),
    "semicolons": ("TIMESTAMP;ContextTokens;GeneratedTokens\n", ":1: not a known trace"),
    "too few cells": (AZURE_2023 + "2023-11-16 18:15:50,3\n", ":4: expected 3 cells as in the header, got 2"),
    "no moment": (AZURE + "yesterday,3,4\n", ":2: TIMESTAMP: expected a date and time like"),
    "no number": (AZURE + "2023-11-16 18:15:50,three,4\n", ":2: ContextTokens: expected a whole number"),
    "negative": (AZURE + "2023-11-16 18:15:50,-3,4\n", ":2: ContextTokens: expected a whole number"),
    "fraction": (AZURE + "2023-11-16 18:15:50,3,4.5\n", ":2: GeneratedTokens: expected a whole number"),
    "too many": (AZURE + f"2023-11-16 18:15:50,3,{10**30}\n", ":2: GeneratedTokens: expected a whole number"),
    "nan": (BURST_OLD + "nan,m,1,1,2,API log\n", ":2: Timestamp: expected a number, got 'nan'"),
    "quotes": (AZURE + '2023-11-16 18:15:50,"3"4,4\n', ":2: not CSV"),
    "failures alone": (BURST_OLD + "1,m,1,0,1,API log\n", ": no requests in the window"),
    "not UTF-8": (AZURE.encode() + b"\xff\xfe,1,1\n", ": the trace is not UTF-8 text"),
    "cut gzip": (gzip.compress(AZURE_2023.encode())[:-20], ": the gzip file is damaged"),
    "bad gzip": (b"\x1f\x8b" + b"\x00" * 40, ": the gzip file is damaged"),
    "not JSON": ('{"timestamp": 0, \n', ":1: not JSON"),
    "a list": (jsonl(mooncake(0, 9, 1)) + "[1]\n", ":2: expected an object"),
    "field missing": ('{"timestamp": 0, "input_length": 5}\n', ":1: output_length is missing"),
    "text for tokens": (jsonl(mooncake(0, 9, 1) | {"input_length": None}), ":1: input_length: expected a whole number"),
    "hashes no list": (jsonl(mooncake(0, 9, 1) | {"hash_ids": 4}), ":1: hash_ids: expected a list"),
    "hashes no numbers": (jsonl(mooncake(0, 9, 1) | {"hash_ids": ["a"]}), ":1: hash_ids: expected a list"),
    "too many hashes": (jsonl(mooncake(0, 512, 1, 4, 5)), ":1: hash_ids: 2 blocks; 512 tokens have at most 1"),
    "deep JSON": ('{"timestamp": ' + "[" * 100_000, ":1: not JSON"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = trace(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}{says}"), message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 250


def test_no_rate_for_requests_that_arrive_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all requests of the window arrive at once"):
        load(trace(tmp_path, FIVE), Selection(count=1, rate=2.0))


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([AZURE, "2023-11-16 18:15:46.68", ",", "5", "\n", '"', "{", "}", "[", "\x00", "é", "-",
                                  '"timestamp": ', '"input_length": 3', '"hash_ids": [', BURST_OLD, "1e3", "\r"]),
                 max_size=30).map(lambda parts: "".join(parts).encode()),
        st.binary(max_size=60).map(lambda tail: gzip.compress(AZURE_2023.encode() + tail)),
    )
)  # fmt: skip
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_garbage_is_refused_in_one_line_or_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = trace(tmp_path_factory.getbasetemp(), data, "garbage")
    try:
        assert load(path)
    except InputError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=30)
)
@settings(max_examples=40, derandomize=True, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:  # microseconds, prompt, answer
    origin = datetime(2024, 5, 10, tzinfo=UTC)
    lines = [f"{origin + timedelta(microseconds=micros)},{prompt},{answer}" for micros, prompt, answer in rows]
    made = load(trace(tmp_path_factory.getbasetemp(), AZURE + "\n".join(lines), "written"))
    first = min(micros for micros, _, _ in rows)
    assert [one.arrival for one in made] == pytest.approx(sorted((row[0] - first) / 1e6 for row in rows), abs=1e-5)
    assert sorted((one.prompt_tokens, one.output_tokens) for one in made) == sorted(row[1:] for row in rows)


def test_the_recorded_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "azure_llm_2023"
    if not folder.is_dir():
        pytest.skip(f"no recorded traffic at {folder}; set ADRS_SHARED_DATA")
    monkeypatch.setenv("ADRS_DATA", str(folder))
    made = load_options({"file": "data:azure-llm-2023-conv", "rate": 2.0}, "serving")
    assert len(made) == 19_366
    assert made[-1].arrival - made[0].arrival == pytest.approx(19_365 / 2.0)
    assert np.mean([one.prompt_tokens for one in made]) == pytest.approx(1154.7, abs=0.05)
