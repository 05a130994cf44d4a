"""Begin a run, go on with one, stop one."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import platform
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adrs.archive.locate import ARCHIVE, RUNS, archive_file
from adrs.archive.lock import LOCK, RunLock, holder
from adrs.archive.reader import ArchiveReader
from adrs.archive.records import RunInfo
from adrs.archive.store import Archive
from adrs.errors import AdrsError, InputError
from adrs.evaluation.executor import Description, Executor
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Limits
from adrs.problem import Budget, Problem
from adrs.problem_file import check_seed, from_snapshot, load_problem, problem_hash, snapshot
from adrs.proposers.base import Proposer
from adrs.proposers.factory import build_proposer, describe_proposer
from adrs.proposers.prepared import Recording
from adrs.session import LOG, Options, Result, Session

ELITES = 8  # of an earlier run that a warm start takes


def evolve(
    problem: Problem | str | Path,
    *,
    proposer: str = "auto",
    model: str | None = None,
    base_url: str | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    lag: int | None = None,
    run: Path | None = None,
    warm_from: Path | None = None,
    options: Options | None = None,
) -> Result:
    """Begin a run: evolve the problem's seed until a budget is reached.

    `budget` replaces the problem's own. `lag` is the number of slots planned ahead, and belongs to the run. `warm_from`
    is an earlier run whose elites fill the first slots, to be scored anew; a replay has its own first slots.

    Raises:
        InputError: something of the input is wrong, or the seed fails its own evaluation; no run is left behind.
        Interrupted: stopped at once, before the seed had a score; `resume` goes on from there.
        AdrsError: the run had to stop; `resume` goes on from there.
    """
    problem = problem if isinstance(problem, Problem) else load_problem(problem)
    options = options or Options()
    spec = describe_proposer(proposer, model, base_url)
    budget = _required(budget or problem.budget, spec["kind"])
    if warm_from is not None and spec["kind"] == "replay":
        raise InputError(f"--from {warm_from}: a replay repeats its recording; give --from or replay:FILE, not both")
    if spec["kind"] == "replay" and Recording(Path(spec["file"])).seed != problem.seed:
        raise InputError(f"--proposer {proposer}: it began with another seed policy than {problem.name} has")
    if run is not None:
        _refuse_existing(run)
    warm = [] if warm_from is None else _elites(warm_from)

    async def begin() -> Result:
        author = build_proposer(spec, budget, lag, options.jobs)
        async with open_executor(problem, options) as executor:
            await check_seed(executor, problem)
            train = await executor.workloads("train")
            info = _run_info(problem, await executor.describe(), author, spec, seed)
            directory = _made(run, problem.name)
            with RunLock(directory):
                _refuse_existing(directory)
                archive = Archive.create(directory / ARCHIVE, info, problem.seed, train, warm)
                try:
                    return await Session(directory, archive, problem, author, executor, budget, options).run()
                except InputError:
                    if archive.count_committed() == 0:  # the seed fails its own evaluation: nothing to go on with
                        archive.close()
                        _discard(directory)
                    raise

    return asyncio.run(begin())


def resume(directory: Path, *, budget: Budget | None = None, options: Options | None = None) -> Result:
    """Go on with a run where it stands, under its own problem, seed and proposer.

    `budget` replaces that of the run's last session; candidates, tokens and dollars count from the run's beginning,
    minutes from now.

    Raises:
        InputError: there is no run, another process is at work on it, or its problem or evaluator has changed.
        AdrsError: the run had to stop again.
    """
    options = options or Options()
    ArchiveReader.read(archive_file(directory)).close()  # before anything is written beside it

    async def go_on(archive: Archive, info: RunInfo, problem: Problem) -> Result:
        limit = _required(budget or _last_budget(archive) or problem.budget, info.proposer["kind"])
        author = build_proposer(info.proposer, limit, info.lag, options.jobs)
        async with open_executor(problem, options) as executor:
            if (await executor.describe()).fingerprint != info.fingerprint:
                raise InputError(_changed(directory, "evaluator", info.problem))
            return await Session(directory, archive, problem, author, executor, limit, options).run()

    with RunLock(directory):
        archive = Archive.open(directory / ARCHIVE)
        info = archive.info
        problem = from_snapshot(info.snapshot)
        _refuse_changed_problem(directory, problem, info)
        return asyncio.run(go_on(archive, info, problem))


def stop(directory: Path, patience_seconds: float = 60.0) -> bool:
    """Ask the process at work on a run to finish what is in flight. False when none is at work.

    Raises:
        AdrsError: it is still at work after `patience_seconds`.
    """
    archive_file(directory)
    process = holder(directory)
    if process is None:
        return False
    os.kill(process, signal.SIGINT)
    deadline = time.monotonic() + patience_seconds
    while holder(directory) == process:
        if time.monotonic() > deadline:
            raise AdrsError(
                f"{directory}: process {process} is still finishing; stop again to abandon what is in flight"
            )
        time.sleep(0.05)
    return True


@asynccontextmanager
async def open_executor(problem: Problem, options: Options) -> AsyncIterator[Executor]:
    """The job slots for a problem, closed at the end."""
    executor = LocalExecutor(problem.evaluator, options.jobs, options.sandbox, timed=problem.timed)
    try:
        yield executor
    finally:
        await executor.close()


def _refuse_existing(directory: Path) -> None:
    """Raises InputError where a run lies. An archive that was killed before its run was written in is none."""
    file = directory / ARCHIVE
    if not file.exists():
        return
    with closing(sqlite3.connect(file)) as db:
        tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'run'").fetchone()[0]
        if tables and db.execute("SELECT count(*) FROM run").fetchone()[0]:
            raise InputError(f"{directory}: holds a run already; `adrs resume -r {directory}` goes on with it")


def _discard(directory: Path) -> None:
    """Remove what a run has written, and the directory if that was all."""
    for name in (ARCHIVE, f"{ARCHIVE}-wal", f"{ARCHIVE}-shm", LOG, LOCK):
        (directory / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()


def _required(budget: Budget, proposer: str) -> Budget:
    if budget == Budget() and proposer != "replay":
        raise InputError("no budget: give --candidates, --minutes, --usd or --tokens, or a `budget` in the problem")
    if proposer == "offline" and budget == Budget(tokens=budget.tokens, usd=budget.usd):
        raise InputError("no budget that ends an offline run, which costs nothing: give --candidates or --minutes")
    return budget


def _last_budget(archive: ArchiveReader) -> Budget | None:
    started = archive.last_event("started")
    return None if started is None else Budget(**started["budget"])


def _made(run: Path | None, problem: str) -> Path:
    """The directory named, or a new one under runs/ that no other process has made, also not in the same second."""
    if run is not None:
        run.mkdir(parents=True, exist_ok=True)
        return run
    name = f"{problem}-{datetime.now():%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 1_000))):
        directory = RUNS / f"{name}{suffix}"
        with contextlib.suppress(FileExistsError):
            directory.mkdir(parents=True)
            return directory
    raise InputError(f"{RUNS / name}: taken, as are those numbered after it; name a directory with --run")


def _elites(run: Path) -> list[str]:
    archive = ArchiveReader.read(archive_file(run))
    return [archive.candidate(id).source for id, _, _ in archive.top(ELITES)]


def _refuse_changed_problem(directory: Path, problem: Problem, info: RunInfo) -> None:
    if problem.path is None or not problem.path.exists():
        return  # the snapshot is all there is
    if problem_hash(load_problem(problem.path, problem.overrides)) != info.problem_hash:
        raise InputError(_changed(directory, "problem", str(problem.path)))


def _changed(directory: Path, what: str, problem: str) -> str:
    return (
        f"{directory}: the {what} has changed since this run began, so its scores do not compare;"
        f" `adrs evolve {problem} --from {directory}` scores its elites anew in another run"
    )


def _limits_hash(limits: Limits) -> str:
    return hashlib.sha256(json.dumps(asdict(limits), sort_keys=True).encode()).hexdigest()[:16]


def _run_info(
    problem: Problem, description: Description, author: Proposer, spec: Mapping[str, Any], seed: int
) -> RunInfo:
    replayed = spec["kind"] == "replay"
    return RunInfo(
        problem=problem.name,
        problem_hash=problem_hash(problem),
        snapshot=snapshot(problem),
        objective={name: str(value) for name, value in asdict(problem.objective).items()},
        fingerprint=description.fingerprint,
        limits_hash=_limits_hash(problem.limits),
        seed=seed,
        order="slot" if replayed else author.order,
        lag=author.lag,
        strategy=problem.search.strategy,
        proposer=spec,
        sandbox=description.sandbox,
        environment={
            "python": platform.python_version(),
            "platform": platform.platform(),
            "adrs": version("adrs-toolkit"),
            "numpy": version("numpy"),
        },
    )
