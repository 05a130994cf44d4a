"""The interface of prefill scheduling for mixture-of-experts models."""

import msgspec


class Prompt(msgspec.Struct, array_like=True, gc=False):
    """A request whose next token needs a prefill: it waits, or its prefill has begun.

    id: Requests are numbered in order of arrival, from 0.
    arrived: Seconds.
    tokens: To be computed in all: the prompt and, after a preemption, what it had generated.
    computed: Of these, the ones that have passed all layers.
    chunk: Tokens behind those that are part-way through the layers; 0 if there are none.
    layers: How many layers the chunk has passed.
    blocks: KV blocks that it takes to begin it; 0 once it has begun.
    """

    id: int
    arrived: float
    tokens: int
    computed: int
    chunk: int
    layers: int
    blocks: int


class Engine(msgspec.Struct, array_like=True, gc=False):
    """The engine now, and what it has promised.

    layers: Of the model, all alike.
    decoding: Requests that generate: each makes a token in every iteration.
    context: Tokens in the KV cache of those.
    batch_tokens: The most that an iteration takes: the tokens of its chunks, and one of each decoding request.
    free_blocks: KV blocks that are left for prompts to begin.
    free_places: How many more prompts can be begun.
    ttft_slo: Seconds from the arrival within which the first token is due.
    tbt_slo: Longest time between two tokens of a request, in seconds.
    """

    layers: int
    decoding: int
    context: int
    batch_tokens: int
    free_blocks: int
    free_places: int
    ttft_slo: float
    tbt_slo: float


def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> list[tuple[int, int, int]]:
    """Choose what the iteration that starts now does for prompts; all decoding requests get their next token anyway.

    Called in order of time and in one process, whenever an iteration can start and there is a prompt to prefill.
    Module-level variables keep their values between the calls of one workload.

    Args:
        now: Seconds.
        waiting: Not begun: the preempted first, then in order of arrival; the first 32 if there are more.
        prefilling: Begun, in the order in which they were.
        engine: See there.

    Returns:
        (id, tokens, layers), at most one of a prompt: its next tokens pass the next layers in this iteration. A chunk
        that is part-way goes on whole: `tokens` must be its `chunk`, and `layers` at most what is left to it. A prompt
        is begun by its first chunk, which takes its `blocks` and a place. An empty list lets the engine decode until a
        request arrives or ends; it is refused while nothing decodes.
    """
    raise NotImplementedError
