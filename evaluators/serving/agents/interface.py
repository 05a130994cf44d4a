"""The interface of agent serving: how long the KV of an agent is kept while its tool runs, and whose turn is next."""

import msgspec


class Session(msgspec.Struct, array_like=True, gc=False):
    """An agent's session, whose latest turn has just been answered with a call of a tool.

    How many turns are still to come, and how long the tool takes, is not known.

    id: Sessions are numbered in order of arrival, from 0.
    started: Seconds: when its first turn arrived.
    turns: Answered so far.
    context_tokens: Of the conversation that this turn belongs to, its answer included.
    kv_blocks: Of the KV cache, that hold this conversation alone: what a pin keeps, beside shared system prompts.
    tool: That it calls now.
    tools: Those that it called before, and `gaps`: the seconds from each answer to the turn after.
    served_s: Seconds that its turns have taken from their admission to their last token.
    waited_s: Seconds that they have waited before.
    recompute_s: What computing the KV of the conversation anew takes, alone on the instance.
    swap_s: What copying it to host memory takes, or back.
    """

    id: int
    started: float
    turns: int
    context_tokens: int
    kv_blocks: int
    tool: str
    tools: list[str]
    gaps: list[float]
    served_s: float
    waited_s: float
    recompute_s: float
    swap_s: float


class Turn(msgspec.Struct, array_like=True, gc=False):
    """A turn that waits to run.

    id: Turns are numbered in order of arrival over all sessions, from 0.
    arrived: Seconds: when this turn did; `started`: when the session's first turn did.
    turn: Number within the session, from 0.
    prompt_tokens: The conversation so far and what is new.
    cached_tokens: Of these, the ones whose KV is in the cache now; `host_tokens`: in the cache or in host memory.
    pinned: Whether a pin keeps them there. It does so until the turn runs.
    preempted: It has run, and gave way when the KV cache was full.
    served_s, waited_s: As of `Session`, without this turn.
    """

    id: int
    session: int
    arrived: float
    started: float
    turn: int
    prompt_tokens: int
    cached_tokens: int
    host_tokens: int
    pinned: bool
    preempted: bool
    served_s: float
    waited_s: float


class Engine(msgspec.Struct, array_like=True, gc=False):
    """The instance, and how full its KV cache is.

    blocks: Of the KV cache, 16 tokens each.
    used: Of these, used by running turns and, beside them, `pinned`. The others are free: empty, or cached KV that is
        evicted when room is needed, least recently used first.
    running, waiting: Turns.
    sessions: That have begun and not ended.
    host_blocks: Free blocks of host memory.
    ended: How many turns each session had that has ended since the policy was asked before.
    """

    blocks: int
    used: int
    pinned: int
    running: int
    waiting: int
    sessions: int
    host_blocks: int
    ended: list[int]


class Retention(msgspec.Struct, array_like=True, gc=False):
    """What becomes of a session's KV while its tool runs.

    pin_s: Seconds for which it is kept, 0 or more (infinity is allowed). If the next turn arrives within them, it is
        kept until that runs.
    then: What happens after that: "lru" (it stays until it is the least recently used and room is needed), "discard"
        (it is freed at once) or "swap" (it moves to host memory, as far as that has room, and back when the next turn's
        time comes).
    """

    pin_s: float = 0.0
    then: str = "lru"


def retain(now: float, session: Session, engine: Engine) -> Retention:
    """Say how long the KV of a session is kept now that it waits for a tool.

    Called in order of time and in one process, as is `order`, after each answer but a session's last. Module-level
    variables keep their values between the calls of one workload.
    """
    raise NotImplementedError


def order(now: float, waiting: list[Turn], engine: Engine) -> list[int]:
    """Say in which order waiting turns are admitted.

    Called when a turn arrives or is preempted and so several wait; until the next call, this order holds. Turns are
    admitted in it as long as there is room for the whole prompt beside running turns and pins; the first for which
    there is not lets the others wait too. Pins give way to it only if nothing runs and the next turns of all pinned
    sessions wait: then that of the session which started last goes first.

    Args:
        waiting: Two or more: preempted ones, then in order of arrival.

    Returns:
        The ids of all waiting turns, each once, the first to be admitted first.
    """
    raise NotImplementedError
