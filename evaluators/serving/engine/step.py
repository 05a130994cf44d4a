"""What a scheduler has an engine do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Chunk(NamedTuple):
    """The next `tokens` tokens of a prompt.

    `layers`: how many layers they pass in this iteration; None for all (that are left to them). Tokens that are
    part-way through the layers go on together until they have passed all.
    """

    id: int
    tokens: int
    layers: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration; or, if it only decodes, several.

    Args:
        chunks: Prefill. The first chunk of a waiting sequence admits it.
        decode: Whether the decoding sequences get their next token.
        hold: Of them, those that do not in this iteration.
        preempt: Running sequences that give back their KV before the iteration.
        swap: These move it to host memory, instead of computing it again.
        resume: Swapped sequences whose KV comes back before the iteration.
        idle: The step may do nothing: then the engine is asked again when something comes or `wake` is called.
        iterations: A step that only decodes lasts until an event (an arrival, an end, no room in the KV cache); this
            ends it after so many iterations. 0 for no such limit.
    """

    chunks: Sequence[Chunk] = ()
    decode: bool = True
    hold: Sequence[int] = ()
    preempt: Sequence[int] = ()
    swap: bool = False
    resume: Sequence[int] = ()
    iterations: int = 0
    idle: bool = False


DECODE = Step()


class Refused(Exception):
    """The step cannot be done; the message tells why."""
