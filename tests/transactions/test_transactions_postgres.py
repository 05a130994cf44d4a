"""The real tier without a server: what is said then, and the statistics."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from locking_cases import transaction
from support.cli import ROOT, environment

from evaluators.transactions.postgres import server as servers
from evaluators.transactions.postgres.agreement import Correlation, agreement, pooled
from evaluators.transactions.postgres.calibration import apart
from evaluators.transactions.postgres.database import database
from evaluators.transactions.postgres.ranks import average_ranks, kendall, spearman
from evaluators.transactions.postgres.server import NoServer, server

NOBODY_LISTENS = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def binaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that is all of PATH, readable by any user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("PATH", name)
        monkeypatch.setattr(servers, "DEBIAN", folder / "debian")
        monkeypatch.delenv(servers.VARIABLE, raising=False)
        yield folder


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def left_behind() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("adrs-postgres-*"))


def test_without_binaries_the_reason_names_the_mend(binaries: Path) -> None:
    with pytest.raises(NoServer, match=r"^no PostgreSQL: .*apt-get install postgresql.*ADRS_POSTGRES=.*$"), server():
        pass


def test_the_newest_of_debians_versions_is_taken_by_number(binaries: Path) -> None:
    for version in ("9.6", "15", "8"):
        for name in ("initdb", "postgres"):
            script(binaries / "debian" / version / "bin" / name, "")
    assert servers.find_binaries() == binaries / "debian" / "15" / "bin"


def test_a_server_that_cannot_be_made_says_why_and_leaves_nothing(binaries: Path) -> None:
    before = left_behind()
    script(binaries / "initdb", "echo hello; echo 'no space left on device' >&2; exit 1")
    script(binaries / "postgres", "")
    with pytest.raises(NoServer, match=r"^no PostgreSQL: initdb failed: no space left on device$"), server():
        pass
    assert left_behind() == before


def test_a_server_that_ends_at_its_start_says_why_and_leaves_nothing(binaries: Path) -> None:
    before = left_behind()
    script(binaries / "initdb", "")
    script(binaries / "postgres", "echo 'FATAL: out of shared memory'")
    reason = r"^no PostgreSQL: postgres ended at its start: FATAL: out of shared memory$"
    with pytest.raises(NoServer, match=reason), server():
        pass
    assert left_behind() == before


def test_a_server_of_the_users_that_does_not_answer_is_one_line() -> None:
    reason = r"^PostgreSQL: [^\n]*127\.0\.0\.1[^\n]*$"
    with pytest.raises(NoServer, match=reason), database(NOBODY_LISTENS, "read committed", 0.02):
        pass


def test_the_benchmark_says_in_one_line_that_there_is_no_server() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/transactions_postgres.py", "--quick"],
        cwd=ROOT, env=environment({servers.VARIABLE: NOBODY_LISTENS}), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert not done.stdout
    assert done.stderr.startswith("PostgreSQL: ") and done.stderr.count("\n") == 1


def test_ranks_of_equal_values_are_shared() -> None:
    assert average_ranks([30.0, 10.0, 20.0, 20.0]).tolist() == [4.0, 1.0, 2.5, 2.5]


def test_spearman_by_hand() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 5]) == pytest.approx(1 - 6 * 12 / (4 * 15))  # without ties: the formula
    # ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: deviations give 4.5 over sqrt(4.5 * 5)
    assert spearman([1, 2, 2, 4], [1, 3, 2, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)


def test_kendall_by_hand() -> None:
    assert kendall([1, 2, 3, 4], [10, 20, 30, 5]) == pytest.approx((3 - 3) / 6)
    assert kendall([1, 2, 2, 4], [1, 3, 2, 4]) == pytest.approx(5 / math.sqrt(5 * 6))  # five concordant, one tied in x
    assert kendall([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)


@pytest.mark.parametrize("correlation", [spearman, kendall])
def test_what_tells_nobody_apart_has_no_correlation(correlation: Correlation) -> None:
    assert math.isnan(correlation([3.0, 3.0, 3.0], [1.0, 2.0, 3.0]))
    assert math.isnan(correlation([], []))


def test_agreement_is_the_mean_over_sessions_and_the_ceiling_that_between_them() -> None:
    found = agreement([1, 2, 3], [[10, 20, 30], [10, 30, 20]], spearman)
    assert found.prediction == pytest.approx((1.0 + 0.5) / 2)
    assert found.ceiling == pytest.approx(0.5)


def test_pooling_compares_contenders_and_not_workloads() -> None:
    fast_and_slow = [[100.0, 110.0, 120.0], [1.0, 1.1, 1.2]]
    upside_down = [[120.0, 110.0, 100.0], [1.2, 1.1, 1.0]]
    assert pooled(fast_and_slow, [fast_and_slow, fast_and_slow], spearman).prediction == pytest.approx(1.0)
    assert pooled(fast_and_slow, [upside_down, upside_down], spearman).prediction == pytest.approx(-1.0)


def test_transactions_apart_share_no_key_and_are_else_the_same() -> None:
    given = [transaction("ra wb wa"), transaction("wb ra"), transaction("wz")]
    moved = apart(given)
    keys = [set(each.keys) for each in moved]
    assert not keys[0] & keys[1] and not keys[0] & keys[2] and not keys[1] & keys[2]
    assert [each.writes for each in moved] == [each.writes for each in given]
    assert moved[0].keys[0] == moved[0].keys[2] != moved[0].keys[1]
