"""The command line: what it refuses and how, what it prints, and one problem from `init` to `verify`."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from support.cli import ROOT, adrs, adrs_here, environment
from support.finished import finished_run

import typer_cli
from adrs.archive.locate import ARCHIVE
from adrs.archive.lock import RunLock
from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a good run, damaged ones, a scaffolded problem, and files that are none of it."""
    folder = tmp_path_factory.mktemp("cli")
    finished_run(folder / "runs" / "near", candidates=40)
    for name, data in (("empty", b""), ("garbage", b"garbage\n" * 999), ("other", None)):
        (folder / "damaged" / name).mkdir(parents=True)
        if data is not None:
            (folder / "damaged" / name / ARCHIVE).write_bytes(data)
    (folder / "broken.yaml").write_text("name: [unclosed\n")
    (folder / "unknown.yaml").write_text("nmae: x\n")
    (folder / "empty.yaml").write_text("")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "file").write_text("a file\n")
    assert adrs_here("init", "demo", cwd=folder).code == 0
    return folder


MISUSED = {
    "too many jobs": ["check", "demo.yaml", "--jobs", "100000"],
    "unknown option": ["evolve", "demo.yaml", "--candidate", "3"],
    "no problem": ["evolve"],
    "too many arguments": ["status", "now"],
    "no candidates": ["evolve", "demo.yaml", "--candidates", "0"],
    "half a candidate": ["evolve", "demo.yaml", "--candidates", "1.5"],
    "endless candidates": ["evolve", "demo.yaml", "--candidates", "9" * 30],
    "minutes that are no number": ["evolve", "demo.yaml", "--minutes", "nan"],
    "negative dollars": ["evolve", "demo.yaml", "--usd", "-1"],
    "infinite target": ["evolve", "demo.yaml", "--target", "inf"],
    "negative seed": ["evolve", "demo.yaml", "--seed", "-1"],
    "no jobs": ["evolve", "demo.yaml", "--jobs", "0"],
    "endless id": ["show", "9" * 30],
    "id that is no number": ["diff", "best"],
    "negative salt": ["verify", "0", "--salt", "-3"],
}
REFUSED = {
    "unknown verb": ["evolv", "demo.yaml"],
    "missing problem file": ["evolve", "absent.yaml"],
    "unknown problem name": ["check", "moe_placment"],
    "a folder as problem": ["check", "./demo"],
    "broken YAML": ["evolve", "broken.yaml"],
    "unknown field": ["check", "unknown.yaml"],
    "empty YAML": ["check", "empty.yaml"],
    "binary YAML": ["evaluate", "binary.yaml", "file"],
    "bad --set": ["evolve", "demo.yaml", "--set", "limits"],
    "bad value of --set": ["evolve", "demo.yaml", "--set", "limits.cpu_seconds=soon"],
    "unknown proposer": ["evolve", "demo.yaml", "--proposer", "oracle"],
    "openai without a model": ["evolve", "demo.yaml", "--proposer", "openai"],
    "dollars with a model of unknown price": ["evolve", "demo.yaml", "--model", "nobodys-model", "--usd", "1"],
    "replay of nothing": ["evolve", "demo.yaml", "--proposer", "replay:absent"],
    "replay of garbage": ["evolve", "demo.yaml", "--proposer", "replay:damaged/garbage"],
    "warm start from nothing": ["evolve", "demo.yaml", "--candidates", "1", "--from", "absent"],
    "warm start from garbage": ["evolve", "demo.yaml", "--candidates", "1", "--from", "damaged/garbage"],
    "a run that exists": ["evolve", "demo.yaml", "--candidates", "1", "--run", "runs/near"],
    "a run inside of a file": ["evolve", "demo.yaml", "--candidates", "1", "--run", "file/run"],
    "unknown sandbox": ["check", "demo.yaml", "--sandbox", "docker"],
    "missing policy": ["evaluate", "demo.yaml", "absent.py"],
    "test split": ["evaluate", "demo.yaml", "demo/seed.py", "--split", "test"],
    "unknown split": ["evaluate", "demo.yaml", "demo/seed.py", "--split", "trian"],
    "missing run": ["status", "-r", "absent"],
    "a file that is no archive": ["top", "-r", "file"],
    "an empty archive": ["status", "-r", "damaged/empty"],
    "a garbage archive": ["top", "-r", "damaged/garbage"],
    "a folder without archive": ["log", "-r", "damaged/other"],
    "a name too long": ["status", "-r", "x" * 5000],
    "resume of garbage": ["resume", "-r", "damaged/garbage"],
    "resume of an empty archive": ["resume", "-r", "damaged/empty"],
    "resume of nothing": ["resume", "-r", "absent"],
    "stop of nothing": ["stop", "-r", "absent"],
    "unknown id": ["show", "99999"],
    "unknown --against": ["diff", "0", "--against", "brother"],
    "unknown id of --against": ["diff", "0", "--against", "77777"],
    "verify of garbage": ["verify", "-r", "damaged/garbage"],
    "verify of an unknown id": ["verify", "99999"],
    "init of an odd name": ["init", "my problem"],
    "init where something is": ["init", "demo"],
    "init nowhere": ["init", "other", "-d", "absent"],
}


AS_A_PROCESS = ("unknown field", "a run inside of a file", "a name too long", "a garbage archive")


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_one_line_on_stderr_and_exit_code_2(folder: Path, name: str) -> None:
    before = _files(folder)
    ended = (adrs if name in AS_A_PROCESS else adrs_here)(*REFUSED[name], cwd=folder)
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.count("\n") == 1 and ended.err.startswith("adrs: "), ended.err
    assert "Traceback" not in ended.err and "internal error" not in ended.err
    assert [path for path in _files(folder) if path not in before] == []


def _files(folder: Path) -> list[Path]:
    """All but what SQLite and Python leave beside their files."""
    passing = ("-wal", "-shm", "__pycache__", ".pyc")
    return [path for path in sorted(folder.rglob("*")) if not path.name.endswith(passing)]


@pytest.mark.parametrize("arguments", MISUSED.values(), ids=MISUSED.keys())
def test_misuse_points_to_the_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert typer_cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("adrs: ") and f"see `adrs {arguments[0]} --help`" in err


def test_the_line_names_the_place_and_the_mend(folder: Path) -> None:
    for arguments, expected in {
        ("check", "unknown.yaml"): "unknown.yaml:1: nmae: unknown",
        ("check", "moe_placment"): "did you mean `moe_placement`?",
        ("status", "-r", "absent"): "absent: no archive there",
        ("evolve", "demo.yaml", "--minutes", "nan"): "see `adrs evolve --help`",
        ("evolve", "demo.yaml", "--run", "runs/near"): "`adrs resume -r runs/near` goes on with it",
    }.items():
        assert expected in adrs_here(*arguments, cwd=folder).err


def test_without_a_verb_it_prints_its_help(folder: Path) -> None:
    ended = adrs(cwd=folder)
    assert ended.code == 0 and "Usage: adrs" in ended.out and ended.err == ""


def test_with_no_run_at_all_it_says_how_to_make_one(tmp_path: Path) -> None:
    ended = adrs_here("status", cwd=tmp_path)
    assert ended.code == 2 and "`adrs evolve PROBLEM` makes one" in ended.err
    assert adrs_here("runs", "--json", cwd=tmp_path).document == {"schema": 1, "runs": []}


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["status"], {"run", "problem", "state", "seed_score", "best", "candidates", "outcomes", "llm", "sandbox"}),
        (["top"], {"run", "seed_score", "bound", "winner", "candidates"}),
        (["show"], {"run", "id", "status", "score", "parents", "operator", "workloads", "metrics", "source"}),
        (["log"], {"run", "id", "steps"}),
        (["diff"], {"run", "id", "against", "diff"}),
        (["diff", "0", "--against", "parent"], {"id", "against", "diff"}),
        (["runs"], {"runs"}),
        (["problems"], {"problems"}),
        (["stop"], {"run", "stopped"}),
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_document_and_nothing_else(folder: Path, arguments: list[str], keys: set[str]) -> None:
    ended = adrs_here(*arguments, "--json", cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["schema"] == 1 and keys <= ended.document.keys()


def test_doctor_tells_every_layer_and_exits_by_the_worst(folder: Path) -> None:
    ended = adrs("doctor", "--json", cwd=folder)
    checks = ended.document["checks"]
    assert {"python", "landlock", "seccomp", "uid"} <= {one["name"] for one in checks}
    assert ended.code == (1 if any(one["status"] == "fail" for one in checks) else 0)


@pytest.mark.parametrize("verb", ["status", "top", "show", "log", "diff", "runs"])
@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_width_of_a_terminal(folder: Path, verb: str, width: int) -> None:
    ended = adrs_here(verb, cwd=folder, env={"COLUMNS": str(width)})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out and max(map(len, ended.out.splitlines())) <= width


def test_top_and_show_agree(folder: Path) -> None:
    top = adrs_here("top", "-n", "3", "--json", cwd=folder).document
    assert len(top["candidates"]) == 3
    for one in top["candidates"]:
        shown = adrs_here("show", str(one["id"]), "--json", cwd=folder).document
        assert (shown["score"], shown["operator"]) == (one["score"], one["operator"])
        assert adrs_here("show", str(one["id"]), "--source", cwd=folder).out == shown["source"]


def test_a_run_may_be_named_by_its_archive(folder: Path) -> None:
    by_file = adrs_here("status", "-r", f"runs/near/{ARCHIVE}", "--json", cwd=folder)
    assert by_file.document == adrs_here("status", "-r", "runs/near", "--json", cwd=folder).document


def test_resume_refuses_a_run_that_another_process_holds(folder: Path) -> None:
    with RunLock(folder / "runs" / "near"):
        ended = adrs_here("resume", cwd=folder)
        assert adrs_here("status", "--json", cwd=folder).document["state"] == "running"
    assert ended.code == 2 and f"process {os.getpid()} is at work on this run" in ended.err


def test_a_broken_pipe_is_silent(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "typer_cli.py"), "show", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_stdout_is_one_line(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "typer_cli.py"), "top"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=folder, env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"adrs: cannot read or write: No space left on device\n")


def test_what_a_candidate_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs" / "near", candidates=5)
    with sqlite3.connect(run / ARCHIVE) as db:
        db.execute("UPDATE source SET text='x = 0.0 # \x1b[2J\x1b]0;owned\x07'")
        db.execute("UPDATE candidate SET operator='\x1b[31mred', notes=?", (json.dumps({"summary": "\x1b[2J\u202e"}),))
    for verb in ("top", "show", "log", "diff"):
        printed = _on_a_terminal(verb, tmp_path)
        for steering in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e"):
            assert steering not in printed
        assert "\\x1b" in printed or verb == "diff"


def _on_a_terminal(verb: str, cwd: Path) -> str:
    """What a command prints to a terminal."""
    mine, its = pty.openpty()
    command = [sys.executable, str(ROOT / "typer_cli.py"), verb]
    child = subprocess.Popen(command, cwd=cwd, env=environment({"TERM": "xterm"}), stdout=its, stderr=its)
    os.close(its)
    printed = b""
    while chunk := _read(mine):
        printed += chunk
    os.close(mine)
    assert child.wait(60) == 0, printed
    return printed.decode()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A scaffolded problem with one finished run; the ledger of openings is a file of its own."""
    folder = tmp_path_factory.mktemp("campaign")
    assert adrs("init", "demo", cwd=folder).code == 0
    problem = folder / "demo.yaml"
    problem.write_text(problem.read_text().replace("jobs: 150", "jobs: 20"))
    ended = adrs("evolve", "demo.yaml", "--candidates", "12", "--json", cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["candidates"] == 12 and ended.document["stopped"] == "candidates"
    assert sum(ended.document["outcomes"].values()) == 13
    assert set(ended.document) >= {"schema", "run", "problem", "seed_score", "best", "cached", "llm", "seconds"}
    yield folder


def test_check_prints_seed_and_baselines(campaign: Path) -> None:
    ended = adrs_here("check", "demo.yaml", "--json", cwd=campaign)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["deterministic"] is True
    assert {one["kind"] for one in ended.document["policies"]} == {"seed", "baseline"}
    assert all(one["status"] == "ok" for one in ended.document["policies"])
    seed = next(one for one in ended.document["policies"] if one["kind"] == "seed")
    assert adrs_here("status", "--json", cwd=campaign).document["seed_score"] == pytest.approx(seed["score"])


def test_a_policy_that_fails_is_an_answer(campaign: Path) -> None:
    (campaign / "bad.py").write_text("def choose(*arguments):\n    raise ValueError('no')\n")
    (campaign / "worse.py").write_text("def choose(\n")
    crashed = adrs_here("evaluate", "demo.yaml", "bad.py", "--json", cwd=campaign)
    assert crashed.code == 0 and crashed.document["status"] in ("crash", "invalid")
    invalid = adrs_here("evaluate", "demo.yaml", "worse.py", "--json", cwd=campaign)
    assert invalid.code == 0 and (invalid.document["status"], invalid.document["score"]) == ("invalid", None)


def test_evaluating_the_winner_gives_the_score_that_the_run_has(campaign: Path) -> None:
    shown = adrs_here("show", "--json", cwd=campaign).document
    (campaign / "winner.py").write_text(shown["source"])
    evaluated = adrs_here("evaluate", "demo.yaml", "winner.py", "--json", cwd=campaign).document
    assert evaluated["score"] == pytest.approx(shown["score"])
    assert {one["name"] for one in evaluated["workloads"]} == {
        one["name"] for one in shown["workloads"] if one["split"] == "train"
    }


def test_verify_is_recorded_and_repeated_by_its_salt(campaign: Path) -> None:
    home = {"XDG_DATA_HOME": str(campaign / "data")}
    first = adrs("verify", "--json", cwd=campaign, env=home)
    assert (first.code, first.err) == (0, "")
    again = adrs_here("verify", "--json", "--salt", str(first.document["salt"]), cwd=campaign, env=home)
    assert (first.document.pop("opened"), again.document["opened"]) == (1, 2)
    assert again.document["score"] == first.document["score"]
    assert _without_seconds(again.document["comparisons"]) == _without_seconds(first.document["comparisons"])
    assert "seed" in [one["baseline"] for one in first.document["comparisons"]]
    recorded = adrs_here("status", "--json", cwd=campaign).document["verified"]
    assert (recorded["id"], recorded["score"]) == (first.document["id"], first.document["score"])
    with RunLock(Path(campaign, first.document["run"])):
        held = adrs_here("verify", "0", "--json", cwd=campaign, env=home)
    assert held.code == 0 and held.document["recorded"] is False and held.document["id"] == 0


def _without_seconds(comparisons: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in one.items() if name != "seconds"} for one in comparisons]


def test_resume_goes_on_and_a_log_lies_in_the_run(campaign: Path) -> None:
    ended = adrs_here("resume", "--candidates", "15", cwd=campaign)
    assert ended.code == 0 and "15 candidates" in ended.out and "adrs verify" in ended.out
    status = adrs_here("status", "--json", cwd=campaign).document
    assert status["candidates"] == 15
    assert "stopped: candidates" in (campaign / status["run"] / "run.log").read_text()


def test_evolve_on_a_terminal_shows_a_panel_and_leaves_a_summary(campaign: Path) -> None:
    mine, its = pty.openpty()
    command = [sys.executable, str(ROOT / "typer_cli.py"), "evolve", "demo.yaml", "--candidates", "6", "--run", "live"]
    child = subprocess.Popen(
        command, cwd=campaign, env=environment({"TERM": "xterm"}), stdout=subprocess.PIPE, stderr=its, text=True
    )
    os.close(its)
    shown = b""
    while chunk := _read(mine):
        shown += chunk
    out, _ = child.communicate(timeout=60)
    os.close(mine)
    assert child.returncode == 0
    assert "candidates 6 of 6" in shown.decode() and "on train" in shown.decode()
    assert "adrs diff -r live" in out and "\x1b" not in out


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


def test_an_interrupted_run_says_so_and_resumes(campaign: Path) -> None:
    command = [sys.executable, str(ROOT / "typer_cli.py"), "evolve", "demo.yaml", "--run", "cut", "--candidates", "999"]
    child = subprocess.Popen(
        command, cwd=campaign, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not _committed(campaign / "cut") and time.monotonic() < deadline:
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "finishing what is in flight" in err and "interrupted" in out
    assert adrs_here("status", "-r", "cut", "--json", cwd=campaign).document["stopped"] == "interrupted"
    more = adrs_here(
        "resume", "-r", "cut", "--candidates", str(_committed(campaign / "cut") + 2), "--json", cwd=campaign
    )
    assert more.code == 0 and more.document["stopped"] == "candidates"


def _committed(run: Path) -> int:
    """Candidates in a run, 0 while there is none."""
    try:
        archive = ArchiveReader.read(run / ARCHIVE)
    except InputError:
        return 0
    try:
        return max(0, archive.count_committed() - 1)
    finally:
        archive.close()


def test_every_command_and_option_is_documented() -> None:
    """docs/cli.md has one section a command, and each names its options."""
    sections = dict(re.findall(r"^## `adrs (\w+).*\n([\s\S]*?)(?=^#|\Z)", (ROOT / "docs/cli.md").read_text(), re.M))
    commands = typer.main.get_command(typer_cli.app).commands  # type: ignore[attr-defined]  # it is a group
    assert sections.keys() == commands.keys()
    for name, command in commands.items():
        for option in command.params:
            for spelling in option.opts:
                assert not spelling.startswith("--") or spelling in sections[name], f"{name}: {spelling}"
