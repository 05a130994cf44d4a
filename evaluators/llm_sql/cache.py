"""A prefix cache as vLLM has it: full blocks, each known by its tokens and all before it; the least recent are evicted.

After vLLM's design document "Automatic Prefix Caching" (docs.vllm.ai/en/latest/design/prefix_caching):

- A block that holds `block_tokens` tokens is cached under its parent block and its tokens. Blocks here are told apart
  by the tokens themselves, not by a hash, so that there are no collisions.
- A prompt reuses the longest run of its first blocks that are cached, but computes at least its last token anew.
- It takes a block for each further `block_tokens` tokens or part of them, evicting the least recently used.
- When it is done its blocks count as used from the last to the first, so that of a prompt the tail is evicted first.

Prompts are served one after the other, which is what an engine's cache sees of prompts that are admitted in order:
blocks can be shared from the moment they are allocated. Blocks of the answers, and the partial block at a prompt's
end once it is done, are taken to be free again at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from evaluators.llm_sql.prompts import TOKEN_BYTES

ROOT = -1


class PrefixCache:
    """Blocks by identity, the least recently used first."""

    def __init__(self, capacity: int, block_tokens: int) -> None:
        self._capacity = capacity
        self._bytes = block_tokens * TOKEN_BYTES
        self._identities: dict[tuple[int, bytes], int] = {}  # (parent, tokens) of every block ever seen
        self._cached: OrderedDict[int, None] = OrderedDict()

    def serve(self, prompt: bytes) -> int:
        """Blocks that the prompt finds in the cache; it leaves its own there.

        Raises:
            ValueError: the prompt takes more blocks than there are.
        """
        size = self._bytes
        needed = -(-len(prompt) // size)
        if needed > self._capacity:
            raise ValueError(f"a prompt of {needed} blocks does not fit a cache of {self._capacity}")
        blocks = self._chain(prompt)
        hits = self._hits(blocks[: (len(prompt) - TOKEN_BYTES) // size])
        cached = self._cached
        for block in blocks[:hits]:
            cached.move_to_end(block)
        for _ in range(len(cached) - hits + needed - self._capacity):
            cached.popitem(last=False)
        for block in reversed(blocks):
            cached[block] = None
            cached.move_to_end(block)
        return hits

    def _chain(self, prompt: bytes) -> list[int]:
        """Identities of the prompt's full blocks."""
        identities, size = self._identities, self._bytes
        parent, chain = ROOT, []
        for start in range(0, len(prompt) - size + 1, size):
            parent = identities.setdefault((parent, prompt[start : start + size]), len(identities))
            chain.append(parent)
        return chain

    def _hits(self, blocks: list[int]) -> int:
        cached = self._cached
        for count, block in enumerate(blocks):
            if block not in cached:
                return count
        return len(blocks)


def replay(prompts: Iterable[bytes], capacity: int, block_tokens: int) -> npt.NDArray[np.int64]:
    """Tokens that each prompt reuses, the instruction's among them, served in order by a cache that starts empty."""
    cache = PrefixCache(capacity, block_tokens)
    return np.array([cache.serve(prompt) for prompt in prompts], dtype=np.int64) * block_tokens
