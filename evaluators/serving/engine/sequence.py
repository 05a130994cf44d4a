"""A request inside an engine."""

from __future__ import annotations

from evaluators.serving.request import Request

NEVER = float("nan")


class Sequence:
    """A request with what an engine has done for it.

    Args:
        request: What it serves.

    Attributes:
        target: Tokens whose KV must be there before a prefill makes the next token: the prompt, and after a preemption
            by recomputation also the tokens generated before.
        computed: Tokens whose KV is there. While the sequence decodes: as of the last `Decoding.refresh`.
        generated: Tokens made so far, likewise.
        cached: Tokens found in the prefix cache, over all admissions.
        recomputed: Computed tokens lost, over all preemptions by recomputation.
        shared: Tokens of its context that lie in blocks of the prefix cache and not in its own.
        chunk: Tokens of the chunk that is part-way through the layers, and `layers` how many of them it has passed.
        swapped: Its KV lies in host memory.
    """

    __slots__ = (
        "admitted_at", "cached", "chunk", "computed", "finish_epoch", "first_token_at", "generated", "id", "joined",
        "largest_gap", "last_token_at", "layers", "preemptions", "recomputed", "request", "shared", "swapped", "synced",
        "target",
    )  # fmt: skip

    def __init__(self, request: Request) -> None:
        self.request = request
        self.id = request.id
        self.target = request.prompt_tokens
        self.computed = self.cached = self.shared = self.generated = 0
        self.chunk = self.layers = 0
        self.preemptions = self.recomputed = 0
        self.swapped = False
        self.admitted_at = self.first_token_at = self.last_token_at = NEVER
        self.largest_gap = 0.0  # seconds between two of its tokens
        # Kept by `Decoding`: the epochs at which it joined, was brought up to date, and will make its last token.
        self.joined = self.synced = self.finish_epoch = 0

    @property
    def remaining(self) -> int:
        """Tokens of the target that are still to be computed."""
        return self.target - self.computed
