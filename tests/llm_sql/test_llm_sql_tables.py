"""Tables from files, packages and generators."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_sql_cases import ROOT, policy, table

from adrs.errors import InputError
from adrs.problem_file import load_problem
from evaluators.llm_sql import QueryReordering
from evaluators.llm_sql.files import read_table
from evaluators.llm_sql.generated import generate, zipf
from evaluators.llm_sql.packaged import FAMILIAR, SHIFTED, packaged_table
from evaluators.llm_sql.prompts import Prompts
from evaluators.llm_sql.schemas import SCHEMAS
from evaluators.llm_sql.table import Table

CITIES = "zip,city,state,note\n" + "".join(f"{i % 40},c{i % 20},s{i % 5},note {i}\n" for i in range(1000))


def write(folder: Path, text: str, name: str = "table.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def refusal(**options: Any) -> str:
    with pytest.raises(InputError) as error:
        QueryReordering(table=options).workloads("test", 0)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_dependencies_are_those_that_hold() -> None:
    """a <-> b, both determine c; d is unique and determines all; nothing determines d."""
    found = table("1 x p k", "2 y p l", "1 x p m", "3 z q n").dependencies
    assert found == [[1, 2], [0, 2], [], [0, 1, 2]]


def test_csv_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = write(tmp_path, '\ufeffid,text\n007,"two\nlines, one cell"\n\n1.50,\n')
    assert read_table(file) == Table(("id", "text"), (("007", "two\nlines, one cell"), ("1.50", "")))


def test_a_cell_may_be_a_document(tmp_path: Path) -> None:
    text = "word " * 50_000
    assert read_table(write(tmp_path, f"id,text\n1,{text}\n2,\n")).rows == (("1", text), ("2", ""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "table.csv:3: expected 2 cells, got 3"),
        ("", "table.csv:1: expected a header"),
        ("a;b\n1;2\n1;2\n", "table.csv:1: one column, named 'a;b'; expected commas"),
        ("a,a\n1,2\n1,2\n", "table.csv:1: two columns are named 'a'"),
        ("a,\n1,2\n1,2\n", "table.csv:1: column 2 has no name"),
        ("a,b: c\n1,2\n1,2\n", "table.csv:1: column name 'b: c' holds ': '"),
        ("a,b\n1,2\n", "table.csv: 1 rows; expected a header and at least two rows"),
        ('a,b\n1,"2\n1,2\n', "not CSV: unexpected end of data"),
    ],
)
def test_wrong_csv_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(file=write(tmp_path, text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert "cannot read the table: No such file" in refusal(file=str(tmp_path / "none.csv"))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00a")
    assert "not UTF-8 text; expected CSV" in refusal(file=str(tmp_path / "binary.csv"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, module, None)
    file = write(tmp_path, "", "table.parquet")
    assert "Parquet needs pyarrow: pip install 'adrs-toolkit[parquet]'" in refusal(file=file)


def test_parquet_gives_the_same_table_as_csv(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    file = write(tmp_path, "n,text,gap\n1,one,\n2,two,3\n")
    pd.read_csv(file).to_parquet(tmp_path / "table.parquet")
    assert read_table(str(tmp_path / "table.parquet")) == read_table(file)
    assert "cannot read it as Parquet: " in refusal(file=write(tmp_path, "n,text\n", "broken.parquet"))
    assert "cannot read the table: " in refusal(file=str(tmp_path / "none.parquet"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "options.table: missing file"),
        ({"file": 3}, "options.table.file: expected a path, got 3"),
        ({"file": "x.csv", "row": 3}, "options.table: unknown key 'row'; expected file, rows"),
        ({"file": "x.csv", "rows": 0}, "options.table.rows: expected a positive integer, got 0"),
        ({"file": "x.csv", "rows": 9999}, "options.table.rows: expected 2 to 4000, got 9999"),
        ({"file": "x.csv", "cache_blocks": True}, "options.table.cache_blocks: expected a positive integer"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    assert message in refusal(**options)


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"options\.table: expected a mapping such as \{file: reviews\.csv\}, got 'own\.csv'"
    ):
        QueryReordering(table="own.csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"options\.packaged: expected true or false, got 'please'"):
        QueryReordering(packaged="please")  # type: ignore[arg-type]


def test_a_table_is_cut_into_disjoint_stretches(tmp_path: Path) -> None:
    evaluator = QueryReordering(table={"file": write(tmp_path, CITIES), "rows": 16})
    spans = {}
    for split in ("train", "validation", "test"):
        listed = evaluator.workloads(split, 0)
        spans[split] = {row for one in listed for row in range(one.parameters["from"], one.parameters["to"])}
        assert len(spans[split]) == 16 * len(listed)
    assert len(evaluator.workloads("test", 0)) == load_problem(ROOT / "problems" / "llm_sql.yaml").verify.clusters
    assert max(spans["train"]) < 400 <= min(spans["validation"]) and max(spans["validation"]) < 600 <= min(
        spans["test"]
    )


def test_a_table_too_short_to_verify_says_so(tmp_path: Path) -> None:
    message = refusal(file=write(tmp_path, CITIES), rows=30)
    assert "40% of its 1000 rows are for test, which gives 13 stretches of 30; expected 24 at least" in message


def test_a_users_table_is_scored_and_bounded(tmp_path: Path) -> None:
    evaluator = QueryReordering(table={"file": write(tmp_path, CITIES), "rows": 100, "cache_blocks": 40})
    workload = evaluator.workloads("train", 0)[0]
    metrics, bound = evaluator.run(workload, policy("ggr_full")), evaluator.bound(workload)
    assert 0 < metrics["saved_share"] <= bound["saved_share"] < 1


def test_a_cache_smaller_than_a_prompt_is_refused(tmp_path: Path) -> None:
    options = {"file": write(tmp_path, CITIES), "rows": 100, "cache_blocks": 3}
    evaluator = QueryReordering(table=options)
    with pytest.raises(
        InputError, match=r"options\.table\.cache_blocks: 3 blocks do not hold a prompt; expected 7 at least"
    ):
        evaluator.bound(evaluator.workloads("train", 0)[0])


def test_declared_dependencies_replace_those_found(tmp_path: Path) -> None:
    file = write(tmp_path, CITIES)
    evaluator = QueryReordering(table={"file": file, "rows": 20, "dependencies": {"zip": ["city"], "city": ["state"]}})
    told: list[Any] = []

    class Listener:
        seconds = 0.0

        def call(self, function: str, *arguments: Any) -> Any:
            told.append(arguments[2])
            return np.arange(20), np.tile(np.arange(4), (20, 1))

    evaluator.run(evaluator.workloads("train", 0)[0], Listener())
    assert told == [[[1], [2], [], []]]


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ({"city": ["zip"]}, "'city' does not determine 'zip'"),
        ({"town": ["zip"]}, "no column 'town'; there are zip, city, state, note"),
        ({"zip": "city"}, "options.table.dependencies.zip: expected a list of columns, got 'city'"),
    ],
)
def test_wrong_dependencies_are_refused(tmp_path: Path, dependencies: dict[str, Any], message: str) -> None:
    assert message in refusal(file=write(tmp_path, CITIES), dependencies=dependencies)


@pytest.mark.parametrize("name", [*FAMILIAR, *SHIFTED])
def test_packaged_tables_are_whole_and_repeat_values(name: str) -> None:
    pytest.importorskip("bokeh_sampledata")
    pytest.importorskip("vega_datasets")
    packaged = packaged_table(name)
    assert len(packaged.rows) >= 300 and len(set(packaged.columns)) == len(packaged.columns) >= 5
    assert all(
        isinstance(cell, str) and cell not in ("nan", "<NA>", "None") for row in packaged.rows[:300] for cell in row
    )
    assert packaged.codes.max(axis=0).min() < len(packaged.rows) // 10


def test_packaged_tables_make_a_problem_with_enough_clusters() -> None:
    pytest.importorskip("bokeh_sampledata")
    pytest.importorskip("vega_datasets")
    evaluator = QueryReordering(packaged=True)
    train, test = evaluator.workloads("train", 0), evaluator.workloads("test", 0)
    assert {one.regime for one in train} == set(FAMILIAR)
    assert {one.regime for one in test} == {*FAMILIAR, *SHIFTED}
    assert len({one.cluster for one in test}) >= 24
    assert not {one.hash for one in train} & {one.hash for one in test}
    routes = next(one for one in train if one.regime == "routes")
    scores = [evaluator.run(routes, policy(name))["saved_share"] for name in ("as_stored", "ggr_full")]
    assert scores[0] < scores[1] <= evaluator.bound(routes)["saved_share"]


def test_packages_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(InputError, match=r"needs bokeh-sampledata: pip install 'adrs-toolkit\[tables\]'"):
        QueryReordering(packaged=True)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_generated_tables_join_facts_with_things(schema: str) -> None:
    made = generate(SCHEMAS[schema], 200, None, 1)
    assert made == generate(SCHEMAS[schema], 200, None, 1) != generate(SCHEMAS[schema], 200, None, 2)
    assert len(made.rows) == 200 and 5 <= len(made.columns) <= 25
    for link in SCHEMAS[schema].links:
        names = [made.columns.index(name) for name in link.entity.fields]
        things = {tuple(row[name] for name in names) for row in made.rows}
        assert len(things) <= max(2, round(200 * link.share))  # each thing always has the same fields
    tokens = Prompts(made).tokens
    assert 40 < tokens.sum(axis=1).mean() < 600


def test_stored_order_follows_the_column_named() -> None:
    made = generate(SCHEMAS["products"], 100, "asin", 3)
    keys = [row[made.columns.index("asin")] for row in made.rows]
    assert keys == sorted(keys) and len(set(keys)) < 20


def test_popularity_is_zipf_like() -> None:
    counts = np.bincount(zipf(np.random.default_rng(0), 100, 1.0, 50_000), minlength=100)
    harmonic = (1 / np.arange(1, 101)).sum()
    assert counts[:10] / 50_000 == pytest.approx(1 / np.arange(1, 11) / harmonic, rel=0.1)
