"""Profiles measured layer by layer."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from adrs.errors import InputError
from evaluators.serving.cost.experts import activated_experts
from evaluators.serving.cost.layerwise import Link, profile_subject, read_layers
from evaluators.serving.cost.measurements import chunk, decoding, together
from evaluators.serving.cost.models import BYTES, MODELS

ROOT = Path(__file__).parents[2]
LLAMA, QWEN = MODELS["Llama-3.1-8B"], MODELS["Qwen3-30B-A3B"]
LINK = Link(10e9, 5e-6)
DENSE = """layer,tokens,time_us
embedding,1,3
embedding,101,103
layernorm,1,2
layernorm,101,2
qkv_proj,1,50
qkv_proj,101,150
final_layernorm,1,4
final_layernorm,101,4
"""
HEAD = "layer,sequences,time_us\nlm_head,1,1000\nlm_head,65,1640\nsampler,1,30\nsampler,65,30\n"
ATTENTION = """prefill_chunk,kv_prefill,n_decode,kv_decode,time_us
0,0,1,1000,8
0,0,10,1000,35
0,0,20,500,45
100,0,0,0,15
100,300,0,0,75
100,0,4,1000,35
"""
SPARSE = "layer,prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\nattention,0,0,1,9,8\nindexer,0,0,1,9,8\n"


def write(folder: Path, **tables: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)


def test_layers_are_counted_as_the_model_has_them(tmp_path: Path) -> None:
    write(tmp_path / "tp1", dense=DENSE, per_sequence=HEAD, attention=ATTENTION)
    measured = read_layers(tmp_path, LLAMA, 1, LINK)
    assert measured.linear(1) == pytest.approx(1e-6 * (3 + 4 + 32 * (2 * 2 + 50)))
    assert measured.linear(101) == pytest.approx(1e-6 * (103 + 4 + 32 * (2 * 2 + 150)))
    assert measured.head(65) == pytest.approx(1670e-6)
    assert measured.attention[0].batch == decoding(1, 1000)
    assert measured.attention[4].batch == chunk(300, 100)
    assert measured.attention[5].batch == together(chunk(0, 100), decoding(4, 1000))
    assert measured.attention[1].seconds == pytest.approx(32 * 35e-6)
    assert measured.profile().context_slope(8) == pytest.approx(32 * 3e-9, rel=0.4)


def test_gzipped_tables_and_later_columns_are_the_same(tmp_path: Path) -> None:
    write(tmp_path / "plain" / "tp1", dense=DENSE, per_sequence=HEAD, attention=ATTENTION)
    later = ATTENTION.replace(",time_us", ",decode_q_len,layer,time_us").splitlines()
    rows = [line.rsplit(",", 1) for line in later[1:]]
    text = "\n".join([later[0], *(f"{keys},1,attention,{time}" for keys, time in rows), "0,0,1,1000,3,attention,99"])
    write(tmp_path / "later" / "tp1", dense=DENSE, per_sequence=HEAD)
    with gzip.open(tmp_path / "later" / "tp1" / "attention.csv.gz", "wt") as file:
        file.write(text)
    assert read_layers(tmp_path / "later", LLAMA, 1, LINK) == read_layers(tmp_path / "plain", LLAMA, 1, LINK)


def test_two_gpus_pay_for_their_messages_and_share_what_does_not_shrink(tmp_path: Path) -> None:
    write(tmp_path / "tp1", dense=DENSE, per_sequence=HEAD, attention=ATTENTION)
    parallel = "\n".join(line for line in DENSE.splitlines() if "norm" not in line)
    write(tmp_path / "tp2", dense=parallel, per_sequence=HEAD, attention=ATTENTION)
    one, two = (read_layers(tmp_path, LLAMA, gpus, LINK) for gpus in (1, 2))
    message = 2 * (5e-6 + 101 * 4096 * BYTES / 2 / 10e9)
    assert two.linear(101) - one.linear(101) == pytest.approx(2 * 32 * message)


def moe(text: str) -> dict[str, str]:
    return {"dense": DENSE, "per_sequence": HEAD, "attention": ATTENTION, "moe": text}


def test_experts_are_priced_by_how_many_a_batch_activates(tmp_path: Path) -> None:
    times = "tokens,activated_experts,time_us\n1,8,50\n16,8,60\n16,128,830\n512,8,300\n512,128,900\n"
    write(tmp_path / "tp1", **moe(times))
    measured = read_layers(tmp_path, QWEN, 1, LINK)
    assert measured.experts(1) == pytest.approx(48 * 50e-6)
    share = (activated_experts(QWEN, 16) - 8) / 120
    assert measured.experts(16) == pytest.approx(48e-6 * (60 + share * 770))
    assert measured.experts(512) == pytest.approx(48 * 900e-6, rel=1e-6)


def test_experts_of_several_gpus_come_from_the_table_of_one(tmp_path: Path) -> None:
    times = "ep,tokens,activated_experts,time_us\n1,512,8,300\n1,512,128,900\n2,512,8,160\n2,512,64,470\n"
    write(tmp_path / "tp1", **moe(times))
    write(tmp_path / "tp2", dense=DENSE, per_sequence=HEAD, attention=ATTENTION)
    parts = read_layers(tmp_path, QWEN, 2, LINK)
    wholes = read_layers(tmp_path, QWEN, 2, LINK, expert_parallel=True)
    assert parts.experts(512) == pytest.approx(48 * 450e-6, rel=1e-6)
    assert wholes.experts(512) == pytest.approx(48 * 470e-6, rel=1e-6)


@pytest.mark.parametrize(
    "gpus, tables, message",
    [
        (4, {"dense": DENSE}, r"tp4: no such profile; there are tp1; profile this number of GPUs"),
        (1, {"dense": DENSE}, r"tp1: no per_sequence.csv or per_sequence.csv.gz; expected the output of the profiler"),
        (1, {"dense": "layer,tokens\nqkv,1\n"}, r"dense.csv: no column 'time_us'; expected"),
        (1, {"dense": "layer,tokens,time_us\n"}, r"dense.csv: no rows; expected"),
        (1, {"dense": DENSE + "qkv_proj,many,3\n"}, r"dense.csv: tokens, time_us: expected numbers of 0 or more"),
        (1, {"dense": DENSE + "qkv_proj,5,\n"}, r"dense.csv: tokens, time_us: expected numbers of 0 or more"),
        (1, {"dense": ""}, r"dense.csv: cannot be read: .*; expected a CSV file"),
        (1, {"linear_attention": DENSE}, r"tp1: layers of linear attention are not supported"),
        (
            1,
            {"dense": DENSE, "per_sequence": HEAD, "attention": SPARSE},
            r"sparse attention is not supported",
        ),
    ],
)
def test_what_is_missing_or_strange_is_refused(gpus: int, tables: dict[str, str], message: str, tmp_path: Path) -> None:
    write(tmp_path / "tp1", **tables)
    with pytest.raises(InputError, match=message) as refused:
        read_layers(tmp_path, LLAMA, gpus, LINK)
    assert "\n" not in str(refused.value)


def test_an_unprofiled_expert_parallelism_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "tp1", **moe("ep,tokens,activated_experts,time_us\n4,1,8,50\n"))
    with pytest.raises(InputError, match=r"moe.csv has no rows of ep 1; profile this expert parallelism"):
        read_layers(tmp_path, QWEN, 1, LINK)


def test_the_subject_of_a_profile_is_in_its_meta_yaml(tmp_path: Path) -> None:
    (tmp_path / "meta.yaml").write_text("hardware: RTX4090\nmodel: meta-llama/Llama-3.1-8B\n")
    assert profile_subject(tmp_path) == ("RTX4090", "meta-llama/Llama-3.1-8B")
    for text, message in (("- 1", "no `hardware`"), ("hardware: X", "no `model`"), ("a: [", "cannot be read")):
        (tmp_path / "meta.yaml").write_text(text)
        with pytest.raises(InputError, match=message) as refused:
            profile_subject(tmp_path)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name, gpus", [("RTX4090-Llama-3.1-8B", 1), ("RTXPRO6000-Llama-3.1-8B", 1), ("RTXPRO6000-Llama-3.1-8B", 2)]
)
def test_measured_profiles_are_fitted_to_a_few_per_cent(name: str, gpus: int) -> None:
    folder = Path(os.environ.get("ADRS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "llmservingsim" / "profiles"
    if not folder.is_dir():
        pytest.skip(f"no measurements at {folder}; set ADRS_SHARED_DATA")
    measured = read_layers(folder / name / "bf16", LLAMA, gpus, LINK)
    profile = measured.profile()
    for kind, limit in (("chunks", 0.03), ("decodes", 0.015), ("both", 0.065)):
        errors = []
        for time in measured.attention:
            batch = time.batch
            of = "chunks" if not batch.decodes else "decodes" if batch.decodes == batch.sequences else "both"
            if of == kind and batch.context <= 2**17:  # beyond, a mixed kernel is twice as slow again
                rest = profile.linear(batch.tokens)
                errors.append(abs(profile.layers(batch) - rest - time.seconds) / (rest + time.seconds))
        assert sum(errors) / len(errors) < limit
