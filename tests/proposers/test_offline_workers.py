"""The offline proposer's processes: same answers as in one process, and none outlives its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from policies.arena import ARENAS

from adrs.errors import ProposerError
from adrs.proposers.base import Brief, Candidate, Request
from adrs.proposers.offline import OfflineProposer
from adrs.proposers.offline.mutate import mutate
from adrs.proposers.offline.proposer import task_of

ARENA = ARENAS[0]


def request(slot: int, proposer: OfflineProposer) -> Request:
    brief = Brief("moe", "", "", ARENA.interface, "", 64)
    parent = Candidate(0, (), ARENA.seed, "seed", "ok", 0.5)
    mate = Candidate(3, (0,), ARENA.seed.replace("3.0", "0.1"), "constant", "ok", 0.6)
    return Request(slot, 7, brief, parent, mates=(mate,), inspirations=(parent, mate), hints=proposer.hints())


def test_workers_answer_as_one_process_does_whatever_their_number() -> None:
    async def sources(workers: int) -> list[str | None]:
        proposer = OfflineProposer(workers=workers)
        proposals = await asyncio.gather(*(proposer.propose(request(slot, proposer)) for slot in range(8)))
        await proposer.close()
        assert all(p.status == "ok" and p.operator and p.notes["changes"] for p in proposals)
        return [proposal.source for proposal in proposals]

    proposer = OfflineProposer()
    here = [mutate(task_of(request(slot, proposer))).source for slot in range(8)]
    assert asyncio.run(sources(1)) == asyncio.run(sources(3)) == here


def test_a_task_names_each_mate_once_and_never_the_parent() -> None:
    task = task_of(request(1, OfflineProposer()))
    assert task.mates == (ARENA.seed.replace("3.0", "0.1"),)


def test_slots_draw_differently() -> None:
    proposer = OfflineProposer()
    seeds = {task_of(request(slot, proposer)).seed for slot in range(50)}
    assert len(seeds) == 50


def test_nothing_to_change_is_a_void_slot() -> None:
    async def propose() -> None:
        proposer = OfflineProposer(workers=1)
        asked = request(1, proposer)
        empty = Candidate(0, (), "def place():\n    pass\n", "seed", "ok", 0.5)
        proposal = await proposer.propose(Request(1, 7, asked.brief, empty))
        await proposer.close()
        assert proposal.status == "void" and proposal.source is None and proposal.error

    asyncio.run(propose())


def test_a_source_that_is_nested_too_deeply_costs_a_slot_and_not_the_run() -> None:
    async def propose() -> None:
        proposer = OfflineProposer(workers=1)
        asked = request(1, proposer)
        deep = "def place(weight, num_replicas, num_gpus):\n    return weight" + " + 1" * 900 + "\n"
        proposal = await proposer.propose(Request(1, 7, asked.brief, Candidate(0, (), deep, "seed", "ok", 0.5)))
        assert proposal.status == "void" and "RecursionError" in proposal.error
        assert (await proposer.propose(asked)).status == "ok"
        await proposer.close()

    asyncio.run(propose())


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(processes: list[int], seconds: float = 10.0) -> list[int]:
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [process for process in processes if alive(process)]


def test_a_killed_worker_is_replaced_and_close_ends_all() -> None:
    async def go() -> None:
        proposer = OfflineProposer(workers=1)
        first = await proposer.propose(request(1, proposer))
        workers = children_of(os.getpid())
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        assert wait_until_gone(workers) == []
        assert await proposer.propose(request(1, proposer)) == first
        replaced = set(children_of(os.getpid())) - set(workers)
        assert replaced
        await proposer.close()
        assert wait_until_gone(sorted(replaced)) == []

    asyncio.run(go())


def test_a_cancelled_proposal_leaves_a_proposer_that_works() -> None:
    async def go() -> None:
        proposer = OfflineProposer(workers=1)
        expected = await proposer.propose(request(2, proposer))
        pending = asyncio.create_task(proposer.propose(request(1, proposer)))
        await asyncio.sleep(0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert await proposer.propose(request(2, proposer)) == expected
        await proposer.close()

    asyncio.run(go())


def test_close_ends_workers_at_work_and_starts_no_others() -> None:
    async def go() -> None:
        proposer = OfflineProposer(workers=1)
        await proposer.propose(request(1, proposer))
        workers = children_of(os.getpid())
        pending = asyncio.create_task(proposer.propose(request(2, proposer)))
        await asyncio.sleep(0)
        await proposer.close()
        with pytest.raises(ProposerError, match="closed"):
            await pending
        assert set(children_of(os.getpid())) <= set(workers)
        assert wait_until_gone(workers) == []

    asyncio.run(go())


COORDINATOR = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_offline_workers import request
from adrs.proposers.offline import OfflineProposer

async def main():
    proposer = OfflineProposer(workers=2)
    slot = 0
    while True:
        await asyncio.gather(*(proposer.propose(request(slot + i, proposer)) for i in range(4)))
        slot += 4
        print(slot, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def coordinator() -> Iterator[subprocess.Popen[str]]:
    """A process that proposes without end; two proposals are done, and its workers are busy with more."""
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None and process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("whole_group", [False, True])
def test_workers_die_with_a_killed_parent(coordinator: subprocess.Popen[str], whole_group: bool) -> None:
    workers = children_of(coordinator.pid)
    assert len(workers) == 2
    if whole_group:
        os.killpg(coordinator.pid, signal.SIGKILL)
    else:
        coordinator.kill()
    assert wait_until_gone([coordinator.pid, *workers]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_is_not_for_the_workers(coordinator: subprocess.Popen[str]) -> None:
    workers = children_of(coordinator.pid)
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    assert coordinator.stdout is not None
    for _ in range(5):
        assert coordinator.stdout.readline()
    assert children_of(coordinator.pid) == workers
    assert all(os.getpgid(worker) != coordinator.pid for worker in workers), "the terminal's Ctrl-C passes them by"
