"""Where evaluations run: the coordinator's view of the job slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adrs.evaluation.interface import Interface
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed
from adrs.evaluation.protocol import Split


@dataclass(frozen=True)
class EvaluatorSpec:
    """Names an evaluator so that another process can build it.

    `target` is `package.module:Class`, `/absolute/file.py:Class`, or the name of an entry point in `adrs.evaluators`.
    """

    target: str
    options_json: str = "{}"


@dataclass(frozen=True)
class Description:
    """What the coordinator must know of an evaluator, without importing it."""

    interface: Interface
    sandbox: str  # the level probed on this machine, e.g. "landlock+seccomp+nobody"
    fingerprint: str  # over the evaluator's files, its options, Python and numpy versions


class Executor(Protocol):
    """A pool of job slots. Used from one event loop; every method may be awaited concurrently.

    Raises `HouseError` from any method when the evaluator or the sandbox fails.
    """

    async def describe(self) -> Description: ...

    async def workloads(self, split: Split, salt: int = 0) -> Sequence[Listed]: ...

    async def inspect(self, source: str) -> Inspection:
        """Parse an untrusted text, check it against the interface, hash its code. Executes nothing."""

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        """Evaluate a policy on a workload in a fresh policy process."""

    async def close(self) -> None:
        """End all processes. Evaluations under way are abandoned."""


async def inspect_source(executor: Executor, source: str, limits: Limits) -> Inspection:
    """Inspect a text, its size included: one above the limit in bytes is `invalid`."""
    size, limit = len(source.encode("utf-8", "surrogatepass")), limits.source_kb * 1024
    if size > limit:
        return Inspection("invalid", error=f"the source has {size} bytes; the limit is {limit}")
    return await executor.inspect(source)
