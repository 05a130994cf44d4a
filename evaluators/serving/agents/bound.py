"""What no policy beats: each session alone on the instance, with all KV that can be cached where it is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evaluators.serving.agents.recompute import Recompute
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.traffic.agents import AgentSession

Floats = npt.NDArray[np.float64]


def least_completion_times(deployment: Deployment, sessions: Sequence[AgentSession]) -> Floats:
    """Seconds that each session takes at least: float64 [sessions].

    A turn computes at least what is new in it, and what of the context does not fill a block. Its iterations are no
    shorter than if it ran alone. The seconds of the tools are added.
    """
    alone = Recompute(deployment)
    return np.array([sum(_turns(session, alone, deployment.block_size)) for session in sessions])


def _turns(session: AgentSession, alone: Recompute, block_size: int) -> list[float]:
    seconds = []
    for turn in session.turns:
        cached = turn.context // block_size * block_size
        prefill = alone.prefill(turn.prompt_tokens - cached, cached)
        seconds.append(prefill + alone.decode(turn.prompt_tokens, turn.output_tokens - 1) + turn.gap)
    return seconds
