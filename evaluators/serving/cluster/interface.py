"""The interface of a serving cluster: where requests go, when they move, and how many instances run."""

import msgspec


class Request(msgspec.Struct, array_like=True):
    """A request that has just arrived. How long its answer will be is not known.

    `session` is shared by the turns of a conversation, which are numbered by `turn` from 0; -1 if there is only one.
    A second of a request of `priority` 1 counts as four seconds of one of priority 0.
    """

    id: int
    prompt_tokens: int
    priority: int
    session: int
    turn: int


class Instance(msgspec.Struct, array_like=True):
    """One of the cluster's instances, an engine on GPUs of its own, as it is now.

    `state` is "ready"; "starting" (it loads the weights); "draining" (stopped, it finishes what it has); or "stopped",
    which alone costs nothing. Its KV cache has `blocks` blocks of 16 tokens, of which `free_blocks` are empty or hold
    only cached prefixes that nobody uses.

    `running` requests prefill or decode, `high_priority` of them have priority 1. `waiting` requests hold no KV;
    `waiting_blocks` is what the prompts of all of them will take, and `first_waiting_blocks` that of the first (0 if
    none waits). `prefill_tokens` are the prompt tokens of waiting and running requests that are still to be computed.

    `cached_tokens`: when a request is routed, how many tokens of its prompt this instance has in its prefix cache and
    so need not compute; 0 in `rebalance`.

    `sending` and `receiving`: a request that decodes is being copied from here, to here.
    """

    id: int
    state: str
    running: int
    high_priority: int
    waiting: int
    blocks: int
    free_blocks: int
    waiting_blocks: int
    first_waiting_blocks: int
    prefill_tokens: int
    cached_tokens: int
    sending: bool
    receiving: bool


class Resident(msgspec.Struct, array_like=True):
    """A request at an instance.

    `state` is "waiting" (it holds no KV), "prefill", "decode", or "moving" (a migration of it is under way). `tokens`
    are those of its prompt and of its answer so far, `generated` those of its answer so far.
    """

    id: int
    instance: int
    state: str
    priority: int
    arrived: float
    tokens: int
    generated: int


class Migration(msgspec.Struct, array_like=True):
    """A request, which must be "waiting" or "decode", is to go on at instance `target`, which must be "ready"."""

    request: int
    target: int


class Plan(msgspec.Struct):
    """What to change: migrations in the order in which they begin, and ids of instances to start and to stop."""

    migrations: list[Migration] = []
    start: list[int] = []
    stop: list[int] = []


def route(now: float, request: Request, instances: list[Instance]) -> int:
    """Choose the instance of a request that arrives now.

    Called in order of time and in one process, as is `rebalance`. Module-level variables keep their values between the
    calls of one workload.

    Args:
        now: Seconds since the start.
        request: It waits at the instance until that admits it, first come, first served.
        instances: All, `instances[i].id == i`; at least one of them is "ready".

    Returns:
        The id of an instance that is "ready".
    """
    raise NotImplementedError


def rebalance(now: float, instances: list[Instance], residents: list[Resident]) -> Plan:
    """Choose what to migrate, start and stop. Called every half a second until all requests are finished.

    Args:
        now: Seconds since the start.
        instances: All, as for `route`.
        residents: The requests at them, by instance; of each those that run, in order of admission, then those that
            wait, in line.

    Returns:
        A plan. Migrations of the plan before that have not begun are dropped. Only a "stopped" or "draining" instance
        can be started, only a "ready" one stopped, and one must stay ready. An empty plan changes nothing.
    """
    raise NotImplementedError
