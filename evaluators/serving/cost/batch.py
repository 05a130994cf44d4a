"""What one iteration of an engine computes: all that its duration depends on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Batch:
    """The sums over the sequences of one iteration.

    Args:
        tokens: Tokens that pass the linear layers: those of the prefill chunks, and one of each decoding sequence.
        sequences: Sequences scheduled, chunks and decodes together.
        sampled: Sequences that make a token: the decodes, and the chunks that end a prompt.
        pairs: Over the chunks of c tokens behind s tokens in the KV cache, the sum of (s + c)^2 - s^2: twice the pairs
            of tokens that causal attention compares.
        reread: Over the chunks, the sum of s: tokens whose KV is read once more because a prompt comes in chunks.
        decodes: Decoding sequences.
        context: Over the decoding sequences, the sum of the tokens in the KV cache that they attend to.
    """

    tokens: int = 0
    sequences: int = 0
    sampled: int = 0
    pairs: int = 0
    reread: int = 0
    decodes: int = 0
    context: int = 0
