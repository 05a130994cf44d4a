"""The interface of iteration-level batching in one LLM serving engine."""

import msgspec
import numpy as np

# Columns of `decoding`
ID, ARRIVED, PROMPT, GENERATED, PREDICTED, LAST_TOKEN, TBT_SLO, PRIORITY, TENANT, FREES = range(10)


class Prompt(msgspec.Struct, array_like=True, gc=False):
    """A request some of whose prompt is still to be computed: it waits, or its prefill is under way.

    id: Requests are numbered in order of arrival, from 0.
    arrived: Seconds.
    tokens: Whose KV must be in the cache before its next token is made: the prompt and, after a preemption by
        recomputation, what it had generated.
    computed: Of these, the ones that need no computing: what has been computed; for a waiting request, what the
        prefix cache has of it now, or what was swapped out.
    blocks: Of these computed tokens' blocks, the ones that need not be taken: they are its own, or other running
        requests hold them in the prefix cache.
    frees: Blocks that become free if it is preempted (more, if others that share them are too). 0 while it waits.
    generated: Tokens made so far; more than 0 only after a preemption.
    predicted: A noisy prediction of how many it makes in all; -1 if the workload offers none.
    last_token: Seconds; the arrival if it has none yet.
    ttft_slo: Seconds from its arrival within which its first token is due.
    tbt_slo: Longest time between two of its tokens, in seconds.
    priority: 0 is the most urgent.
    swapped: Its KV lies in host memory: it can only be resumed.
    """

    id: int
    arrived: float
    tokens: int
    computed: int
    blocks: int
    frees: int
    generated: int
    predicted: int
    last_token: float
    ttft_slo: float
    tbt_slo: float
    priority: int
    tenant: int
    preemptions: int
    swapped: bool


class Engine(msgspec.Struct, array_like=True, gc=False):
    """What the engine can do, and how full it is.

    blocks: Of the KV cache, `block_size` tokens each.
    free: Blocks that can be taken, those of the prefix cache that nobody uses included.
    needed: Blocks that the next token of all decoding requests takes.
    max_tokens: Most tokens in an iteration: those of the chunks, and one of each decoding request.
    max_requests: Most running requests, decoding ones and those with a prefill under way.
    waiting: Waiting requests, also those that are not shown.
    """

    blocks: int
    block_size: int
    free: int
    needed: int
    max_tokens: int
    max_requests: int
    waiting: int


class Step(msgspec.Struct, array_like=True, gc=False):
    """One iteration of the engine; one without prefill goes on as long as nothing happens.

    prefill: (id, tokens): chunks of prompts, at most one of each request. The first chunk of a waiting request admits
    it.
    decode: Whether decoding requests get their next token.
    hold: Ids of decoding requests that do not in this iteration.
    preempt: Ids of running requests that give their blocks back before the iteration, and wait again.
    swap: The preempted ones move their KV to host memory, rather than have it recomputed later.
    resume: Ids of waiting requests whose KV is copied back from host memory before the iteration: they run on.
    iterations: Of a step without prefill: be asked again after so many iterations; 0 for when something happens (an
        arrival, an end, no free blocks for the next tokens).
    """

    prefill: list[tuple[int, int]] = []
    decode: bool = True
    hold: list[int] = []
    preempt: list[int] = []
    swap: bool = False
    resume: list[int] = []
    iterations: int = 0


def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], decoding: np.ndarray, engine: Engine) -> Step:
    """Say what the engine computes in the iteration that starts now.

    Called in order of time and in one process, whenever an iteration can start and there is a choice: a request waits,
    or has a prefill under way, or was held, or there are no free blocks for the next tokens. Module-level variables
    keep their values between the calls of one workload.

    Args:
        now: Seconds.
        waiting: Requests that do not run: the preempted first, then in order of arrival; the earliest 64 if there are
            more.
        prefilling: Requests that run and have part of the prompt computed, in order of their admission.
        decoding: float64 [requests, 10]. Requests that generate, in the order in which they began to; who was held
            comes behind the others. Columns: `ID`, `ARRIVED`, `PROMPT` (tokens), `GENERATED` (tokens so far),
            `PREDICTED` (-1 if unknown), `LAST_TOKEN` (seconds), `TBT_SLO`, `PRIORITY`, `TENANT`, `FREES` (blocks, as in
            `Prompt`); the names can be imported from `interface`. A request has PROMPT + GENERATED - 1 tokens in the KV
            cache, and its next token takes a block if that is a multiple of the block size.

    Returns:
        The step. A chunk of c tokens takes ceil((computed + c) / block_size) - blocks of the free blocks, and a resumed
        request ceil(computed / block_size). What the step takes, the next tokens included, must be free once the
        preempted have given theirs back. Where there is a prefix cache, better admit nobody in a step that preempts:
        blocks that they share would be counted twice.
    """
    raise NotImplementedError
