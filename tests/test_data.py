"""Public data sets: what `adrs data` lists, downloads from a real server that misbehaves, and local copies."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from support.cli import ROOT, Ended, adrs, adrs_here, environment
from test_imports import HEAVY, loaded

import typer_cli
from adrs.errors import InputError
from adrs.evaluation.data import data_file
from adrs.public_data import registered, registry

BODY = b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n" * 4000
OTHER = b"something else\n" * 4000


class Server(ThreadingHTTPServer):
    """Serves BODY at /trace.csv, and misbehaves as `mood` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mood = "well"
        self.asked = 0
        self.halfway, self.released = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        """Of the file."""
        return f"http://127.0.0.1:{self.server_port}/trace.csv"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer in the server's mood."""
        self.server.asked += 1
        if self.server.mood == "missing":
            self.send_error(404)
            return
        body = OTHER if self.server.mood == "other" else BODY
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.mood in ("hanging", "interrupted"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.halfway.set()
            if self.server.mood == "hanging":
                self.server.released.wait(30)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """One that runs."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def known(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A registry of two data sets at the server, one without a digest; its file."""
    path = tmp_path / "registry.toml"
    entry = f'what = "a trace"\nurl = "{server.url}"\nlicence = "none"\n'
    path.write_text(f'[pinned]\n{entry}sha256 = "{hashlib.sha256(BODY).hexdigest()}"\n[fresh]\n{entry}')
    monkeypatch.setattr(registry, "REGISTRY", path)
    registered.cache_clear()
    yield path
    registered.cache_clear()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where downloads go."""
    return tmp_path / "cache"


def data(*arguments: str, cache: Path, own: Path | None = None) -> Ended:
    """Run `adrs data`."""
    variables = {"XDG_CACHE_HOME": str(cache)} | ({} if own is None else {"ADRS_DATA": str(own)})
    return adrs_here("data", *arguments, cwd=cache.parent, env=variables)


def kept(cache: Path) -> list[str]:
    """Files in the cache but those of the book-keeping."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.name not in (".lock", "sha256"))


def one_line(ended: Ended, code: int) -> str:
    """The message of a failure."""
    assert ended.code == code, ended
    assert not ended.out
    assert ended.err.startswith("adrs: ")
    assert ended.err.count("\n") == 1
    return ended.err


def test_the_registry_is_pinned_and_complete() -> None:
    assert len(registered()) >= 10
    for entry in registered():
        assert re.match(r"https://.*(/[0-9a-f]{40}/|/releases/download/[^/]+/)", entry.url), entry.url
        assert entry.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.licence in ("CC-BY-4.0", "Apache-2.0")
        assert entry.what


def test_a_download_has_the_right_digest_and_comes_once(known: Path, server: Server, cache: Path) -> None:
    got = data("get", "pinned", "--json", cache=cache)
    path = cache / "adrs" / "data" / "pinned" / "trace.csv"
    assert got.document == {"schema": 1, "name": "pinned", "path": str(path), "source": "cache"}
    assert path.read_bytes() == BODY
    assert data("get", "pinned", cache=cache).code == 0
    assert server.asked == 1
    assert data("path", "pinned", cache=cache).out == f"{path}\n"


def test_the_list_says_what_is_here(known: Path, cache: Path) -> None:
    assert data("get", "pinned", cache=cache).code == 0
    entries = {entry["name"]: entry for entry in data("--json", cache=cache).document["data"]}
    assert entries["pinned"]["source"] == "cache"
    assert entries["fresh"]["source"] is entries["fresh"]["path"] is entries["fresh"]["sha256"] is None
    lines = data(cache=cache).out.splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["pinned", "known", "none", "downloaded"], ["fresh", "first", "use", "none"],
    ]  # fmt: skip


def test_a_wrong_digest_leaves_nothing(known: Path, server: Server, cache: Path) -> None:
    server.mood = "other"
    assert "not the SHA-256" in one_line(data("get", "pinned", cache=cache), 1)
    assert kept(cache) == []


def test_a_missing_file_leaves_nothing(known: Path, server: Server, cache: Path) -> None:
    server.mood = "missing"
    message = one_line(data("get", "pinned", cache=cache), 1)
    assert f"{server.url}: HTTP 404" in message
    assert "ADRS_DATA" in message
    assert kept(cache) == []


def test_a_connection_that_breaks_leaves_nothing(known: Path, server: Server, cache: Path) -> None:
    server.mood = "interrupted"
    assert "cannot be downloaded" in one_line(data("get", "fresh", cache=cache), 1)
    assert kept(cache) == []
    server.mood = "well"
    assert data("get", "fresh", cache=cache).code == 0


def test_nobody_there(known: Path, server: Server, cache: Path) -> None:
    known.write_text(known.read_text().replace(str(server.server_port), "1"))
    registered.cache_clear()
    assert "Connection refused" in one_line(data("get", "pinned", cache=cache), 1)
    assert kept(cache) == []


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import typer_cli
from adrs.public_data import registry
registry.REGISTRY = Path(sys.argv[2])
sys.exit(typer_cli.main(["data", "get", sys.argv[3]]))
"""


def child(known: Path, name: str, cache: Path) -> subprocess.Popen[bytes]:
    """`adrs data get` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(ROOT), str(known), name],
        env=environment({"XDG_CACHE_HOME": str(cache)}), stdout=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_killed_download_leaves_no_file_of_the_name(known: Path, server: Server, cache: Path) -> None:
    server.mood = "hanging"
    process = child(known, "pinned", cache)
    assert server.halfway.wait(20)
    half = wait_for_half(cache)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert kept(cache) == [half.name] != ["trace.csv"]
    assert data("path", "pinned", cache=cache).code == 2
    server.mood = "well"
    assert data("get", "pinned", cache=cache).code == 0
    assert kept(cache) == ["trace.csv"]


def wait_for_half(cache: Path) -> Path:
    """The file of a download under way."""
    for _ in range(2000):
        for path in cache.rglob("tmp*"):
            if path.stat().st_size:
                return path
        time.sleep(0.01)
    raise AssertionError("nothing was written")


def test_two_at_once_download_once(known: Path, server: Server, cache: Path) -> None:
    processes = [child(known, "pinned", cache) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert server.asked == 1
    assert kept(cache) == ["trace.csv"]


def test_without_a_digest_the_first_download_counts(known: Path, server: Server, cache: Path) -> None:
    assert data("get", "fresh", cache=cache).code == 0
    folder = cache / "adrs" / "data" / "fresh"
    assert (folder / "sha256").read_text().strip() == hashlib.sha256(BODY).hexdigest()
    (folder / "trace.csv").unlink()
    server.mood = "other"
    assert "recorded at the first download" in one_line(data("get", "fresh", cache=cache), 1)
    assert kept(cache) == []
    server.mood = "well"
    assert data("get", "fresh", cache=cache).code == 0


def test_a_damaged_copy_is_downloaded_anew(known: Path, server: Server, cache: Path) -> None:
    for name in ("pinned", "fresh"):
        assert data("get", name, cache=cache).code == 0
        path = cache / "adrs" / "data" / name / "trace.csv"
        path.write_bytes(BODY[:100])
        assert data("get", name, cache=cache).code == 0
        assert path.read_bytes() == BODY
    assert server.asked == 4


def test_a_damaged_copy_does_not_stay_when_nobody_has_a_better_one(known: Path, server: Server, cache: Path) -> None:
    assert data("get", "pinned", cache=cache).code == 0
    (cache / "adrs" / "data" / "pinned" / "trace.csv").write_bytes(OTHER)
    server.mood = "missing"
    assert data("get", "pinned", cache=cache).code == 1
    assert kept(cache) == []


def test_a_record_that_was_not_finished_is_none(known: Path, server: Server, cache: Path) -> None:
    assert data("get", "fresh", cache=cache).code == 0
    record = cache / "adrs" / "data" / "fresh" / "sha256"
    record.write_text("")
    assert data("get", "fresh", cache=cache).code == 0
    assert record.read_text().strip() == hashlib.sha256(BODY).hexdigest()
    assert server.asked == 1


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_own_copies_come_first(known: Path, server: Server, cache: Path, tmp_path: Path, name: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / name).write_bytes(gzip.compress(OTHER) if name.endswith("gz") else OTHER)
    got = data("get", "pinned", "--json", cache=cache, own=own).document
    assert got == {"schema": 1, "name": "pinned", "path": str(own / name), "source": "ADRS_DATA"}
    assert data("--json", cache=cache, own=own).document["data"][0]["source"] == "ADRS_DATA"
    assert server.asked == 0


def test_a_folder_of_own_copies_that_is_none(known: Path, cache: Path, tmp_path: Path) -> None:
    for arguments in (["path", "pinned"], ["get", "pinned"], []):
        assert "ADRS_DATA=" in one_line(data(*arguments, cache=cache, own=tmp_path / "nowhere"), 2)


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file\n")
    name = registered()[0].name
    ended = adrs("data", "get", name, "-q", cwd=cache.parent, env={"XDG_CACHE_HOME": str(cache)})
    assert str(cache) in one_line(ended, 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["get", "pined"], "did you mean `pinned`?"),
        (["path", ""], "expected one of: pinned, fresh"),
        (["path", "fresh"], "`adrs data get fresh` fetches it"),
        (["get"], "see `adrs data --help`"),
        (["fetch", "fresh"], "see `adrs data --help`"),
        (["--json", "path", "fresh"], "put --json behind path"),
    ],
    ids=str,
)
def test_misuse_is_one_line(known: Path, cache: Path, arguments: list[str], says: str) -> None:
    assert says in one_line(data(*arguments, cache=cache), 2)


def test_options_name_a_path_or_a_data_set(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADRS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_file("some/trace.csv") == Path("some/trace.csv")
    with pytest.raises(InputError, match=r"^fresh: not downloaded; `adrs data get fresh` fetches it$"):
        data_file("data:fresh")
    with pytest.raises(InputError, match="no such data set"):
        data_file("data:")
    (tmp_path / "trace.csv").write_bytes(OTHER)
    monkeypatch.setenv("ADRS_DATA", str(tmp_path))
    assert data_file("data:fresh") == tmp_path / "trace.csv"


@pytest.mark.parametrize("arguments", [["data"], ["data", "--json"]], ids=" ".join)
def test_looking_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    modules = loaded(f"import typer_cli\nassert typer_cli.main({arguments!r}) == 0", tmp_path)
    assert not modules & (HEAVY | {"pooch", "requests"})


def test_both_commands_are_documented() -> None:
    section = re.search(r"^## `adrs data`\n([\s\S]*?)(?=^## )", (ROOT / "docs/cli.md").read_text(), re.M)
    assert section is not None
    for name, command in typer.main.get_command(typer_cli.data).commands.items():  # type: ignore[attr-defined]
        assert f"`adrs data {name} NAME`" in section[1]
        for option in command.params:
            assert all(not spelling.startswith("--") or spelling in section[1] for spelling in option.opts)
