"""Order waiting requests of an LLM server."""

import msgspec


class Request(msgspec.Struct):
    arrival: float  # seconds
    prompt_tokens: int
    expected_tokens: int
    priority_class: int


def select(waiting: list[Request], now: float, token_budget: int) -> list[int]:
    """Choose the next batch.

    Returns:
        indices into `waiting`, in the order in which they start; their prompt tokens fit the budget.
    """
    raise NotImplementedError
