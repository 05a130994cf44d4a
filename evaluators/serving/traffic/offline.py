"""Offline batches: all requests are there at time 0, and groups of them share a prefix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic.lengths import Lengths


@dataclass(frozen=True)
class Batch:
    """Requests over shared documents or instructions, such as questions about each of some texts.

    Args:
        groups: Number of shared texts; requests are spread over them as evenly as possible.
        shared: Tokens of a text.
        own: Tokens of a request behind it.
        answers: Output tokens.
    """

    name: str
    groups: int
    shared: Lengths
    own: Lengths
    answers: Lengths

    def requests(self, count: int, seed: int) -> list[Request]:
        """`count` requests in random order. The stream keys are unique within the batch."""
        rng = np.random.default_rng(seed)
        texts = self.shared.draw(self.groups, rng).tolist()
        own, answers = self.own.draw(count, rng).tolist(), self.answers.draw(count, rng).tolist()
        order = rng.permutation(count) % self.groups
        return [
            Request(
                id, 0.0, texts[group] + own[id], answers[id],
                (Segment(group, texts[group]), Segment(self.groups + id, own[id])),
            )
            for id, group in enumerate(order.tolist())
        ]  # fmt: skip
