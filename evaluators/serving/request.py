"""What arrives at a serving system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NO_SLO = float("inf")


class Segment(NamedTuple):
    """A piece of a prompt whose content others may share: the first `tokens` tokens of the stream `key`.

    A stream is text that only grows: a system prompt, or a session's conversation (prompts and answers so far). Its
    key is unique and stands behind the same streams, whole, wherever it occurs; so two prompts share the KV cache as
    far as their keys agree, and of the first stream in which their lengths differ, the shorter length.
    """

    key: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a language model.

    Args:
        arrival: Seconds.
        prompt_tokens: At least 1.
        output_tokens: At least 1; the first is made by the prefill. Never shown to a policy before it is generated.
        prefix: The prompt as streams, in order, their tokens adding up to `prompt_tokens`; empty if nobody shares it.
            The answer continues the last stream.
        predicted_tokens: A noisy prediction of `output_tokens`; None where the workload offers none.
        ttft_slo: Seconds to the first token within which the request is served well.
        tbt_slo: Seconds between two tokens, likewise.
    """

    id: int
    arrival: float
    prompt_tokens: int
    output_tokens: int
    prefix: tuple[Segment, ...] = ()
    session: int = -1
    turn: int = 0
    tenant: int = 0
    priority: int = 0
    predicted_tokens: int | None = None
    ttft_slo: float = NO_SLO
    tbt_slo: float = NO_SLO
