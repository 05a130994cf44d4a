"""What a slot asks for: varied, so that equal parents do not get equal prompts, and drawn by (seed, slot)."""

from __future__ import annotations

from dataclasses import dataclass

from adrs.proposers.base import Request


@dataclass(frozen=True)
class Direction:
    name: str
    weight: int
    text: str
    needs_others: bool = False


DIRECTIONS = (
    Direction(
        "improve", 4,
        "Make one well-founded improvement to the current policy. Name what limits its score now, and change that.",
    ),
    Direction(
        "worst", 2,
        "Look at the workloads on which the current policy is furthest from its bound. Find out what goes wrong there, "
        "and mend it without harm to the others.",
    ),
    Direction(
        "combine", 3,
        "Take the strongest idea of the other policies shown that the current policy lacks, and work it in.",
        needs_others=True,
    ),
    Direction(
        "rethink", 2,
        "The current approach may have reached its limits. Design a fundamentally different algorithm for the same "
        "interface, and write the complete file.",
    ),
    Direction(
        "tune", 1,
        "Keep the structure. Reconsider constants, thresholds, sort keys and tie-breaks, and change those that matter.",
    ),
    Direction(
        "simplify", 1,
        "Find the parts that add little, and replace them with something simpler that scores at least as well.",
    ),
)  # fmt: skip


def direction(request: Request) -> Direction:
    """The direction of a slot; the same whenever it is asked."""
    others = bool(request.mates or request.inspirations)
    choices = [choice for choice in DIRECTIONS if others or not choice.needs_others]
    return request.rng("direction").choices(choices, [choice.weight for choice in choices])[0]
