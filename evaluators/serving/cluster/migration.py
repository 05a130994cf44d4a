"""What live migration of a request costs: its KV is copied in stages while it goes on decoding.

Llumnix (Sun et al., OSDI 2024, section 4.2): the KV cache only ever grows, so what a request has computed can be copied
while it decodes. Stage k copies what it computed during stage k - 1; when that is no more than the block that it is
writing, the request stops, this last piece is copied, and it goes on at the target. Only the last stage is downtime.

A stage of b bytes takes `handshake + b / bytes_per_second`. A request that makes r tokens a second of c bytes each
makes r * c / bytes_per_second bytes for each byte that is copied: the stages shrink geometrically by this ratio, which
is below one hundredth in the clusters here, and nearly all migrations take two or three stages.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """The links between instances; each sends at most one request at a time, and receives at most one.

    Args:
        bytes_per_second: Of one copy.
        handshake: Seconds of each stage beside the copying: the target is asked for blocks, copies are set up.
    """

    bytes_per_second: float
    handshake: float

    def seconds(self, size: float) -> float:
        """How long a stage takes that copies so many bytes."""
        return self.handshake + size / self.bytes_per_second


@dataclass(slots=True)
class Copy:
    """The copy of one request's KV from an instance to another.

    Attributes:
        copied: Full blocks that the target has, or will have at the end of the stage under way.
        stages: Begun so far.
    """

    request: int
    source: int
    target: int
    copied: int = 0
    stages: int = 0

    def next_stage(self, tokens: int, block_size: int) -> int:
        """Full blocks to copy now, of a request whose KV holds so many tokens; 0: only the last stage is left."""
        return tokens // block_size - self.copied

    def begin(self, blocks: int) -> None:
        """A stage copies so many more blocks."""
        self.copied += blocks
        self.stages += 1
