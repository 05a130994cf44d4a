"""What a run of a cluster amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.serving.cluster.migrator import Migrator
from evaluators.serving.cluster.node import Node
from evaluators.serving.engine.metrics import joules_with_idle
from evaluators.serving.engine.recorder import Recorder

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """Of one run.

    Attributes:
        ids: int64 [requests], in order of their ends, as the arrays below.
        ttft: float64. Seconds from arrival to the first token.
        e2e: float64. Seconds from arrival to the last token.
        preemptions: int64. Of each request.
        cached_share: Of all prompt tokens, those that a prefix cache had.
        end: When the last request was finished.
        instance_seconds: In which instances were not stopped, summed, until then.
        joules_with_idle_per_token: Of prompts and answers together; see `joules_with_idle`.
        fragmentation: Mean over the ticks; see `fragmented_share`.
        migrations: Of decoding requests; `handed_over` of waiting ones; `aborted`.
        downtime: Mean seconds of a migration in which the request did not run; 0 without migrations.
    """

    ids: Integers
    ttft: Floats
    e2e: Floats
    preemptions: Integers
    cached_share: float
    end: float
    instance_seconds: float
    joules_with_idle_per_token: float
    fragmentation: float
    migrations: int
    handed_over: int
    aborted: int
    downtime: float


def outcome_of(recorder: Recorder, nodes: Sequence[Node], migrator: Migrator, fragmented: Sequence[float]) -> Outcome:
    """Everything that was kept; at least one request must be finished."""
    columns = recorder.columns()
    end = float(columns["finished_at"].max())
    instance_seconds = sum(node.seconds_until(end) for node in nodes)
    joules = joules_with_idle(recorder, nodes[0].engine.deployment.power.idle_watts, instance_seconds)
    return Outcome(
        ids=columns["id"].astype(np.int64),
        ttft=np.asarray(columns["first_token_at"] - columns["arrival"], dtype=np.float64),
        e2e=np.asarray(columns["finished_at"] - columns["arrival"], dtype=np.float64),
        preemptions=columns["preemptions"].astype(np.int64),
        cached_share=float(columns["cached_tokens"].sum() / columns["prompt_tokens"].sum()),
        end=end,
        instance_seconds=instance_seconds,
        joules_with_idle_per_token=float(joules / (columns["prompt_tokens"] + columns["output_tokens"]).sum()),
        fragmentation=float(np.mean(fragmented)) if fragmented else 0.0,
        migrations=migrator.completed,
        handed_over=migrator.handed,
        aborted=migrator.aborted,
        downtime=migrator.downtime / migrator.completed if migrator.completed else 0.0,
    )
