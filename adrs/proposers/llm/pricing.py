"""What tokens cost: a small dated table, and the refusal to count dollars without a price.

US dollars a million tokens, standard tier, uncached input, prompts below the long-context surcharge (100,000 tokens and
more; see `LlmConfig.context_tokens`). As collected from the vendors' pricing pages in the data of genai-prices 0.2.3
(https://github.com/pydantic/genai-prices), November 2026. Prices change: overrides in `LlmConfig` win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adrs.errors import InputError
from adrs.proposers.llm.config import LlmConfig

AS_OF = "2026-11"


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens."""

    input: float
    output: float

    def usd(self, prompt_tokens: int, reply_tokens: int) -> float:
        return (prompt_tokens * self.input + reply_tokens * self.output) / 1e6


_TABLE = {
    # https://developers.openai.com/api/docs/pricing
    "gpt-4o": Price(2.5, 10), "gpt-4o-2024-05-13": Price(5, 15), "gpt-4o-mini": Price(0.15, 0.6),
    "gpt-4.1": Price(2, 8), "gpt-4.1-mini": Price(0.4, 1.6), "gpt-4.1-nano": Price(0.1, 0.4),
    "o3": Price(2, 8), "o3-mini": Price(1.1, 4.4), "o4-mini": Price(1.1, 4.4),
    "gpt-5": Price(1.25, 10), "gpt-5-mini": Price(0.25, 2), "gpt-5-nano": Price(0.05, 0.4),
    "gpt-5.1": Price(1.25, 10), "gpt-5.2": Price(1.75, 14), "gpt-5.3": Price(1.75, 14),
    "gpt-5.3-codex": Price(1.75, 14), "gpt-5.4": Price(2.5, 15), "gpt-5.4-mini": Price(0.75, 4.5),
    "gpt-5.4-nano": Price(0.2, 1.25), "gpt-5.5": Price(5, 30), "gpt-5.6-luna": Price(0.2, 1.2),
    "gpt-5.6-sol": Price(4, 20), "gpt-5.6-terra": Price(2, 12), "gpt-6-luna": Price(0.1, 0.5),
    "gpt-6-sol": Price(2, 10), "gpt-6.1-sol": Price(2, 10), "gpt-6.1-terra": Price(1, 5),
    # https://www.anthropic.com/pricing#api
    "claude-haiku-4-5": Price(1, 5), "claude-sonnet-4-5": Price(3, 15), "claude-sonnet-4-6": Price(3, 15),
    "claude-sonnet-5": Price(2, 10), "claude-sonnet-5-5": Price(2, 10), "claude-opus-4-5": Price(5, 25),
    "claude-opus-4-6": Price(5, 25), "claude-opus-5": Price(5, 25), "claude-opus-5-5": Price(4, 20),
    "claude-haiku-5-5": Price(0.1, 0.5),
    # https://ai.google.dev/gemini-api/docs/pricing
    "gemini-2.5-flash": Price(0.3, 2.5), "gemini-2.5-flash-lite": Price(0.1, 0.4), "gemini-2.5-pro": Price(1.25, 10),
    "gemini-3.1-pro-preview": Price(2, 12), "gemini-3.5-flash": Price(1.5, 9), "gemini-3.5-flash-lite": Price(0.3, 2.5),
    "gemini-3.8-flash": Price(1.5, 7.5),
    # https://api-docs.deepseek.com/quick_start/pricing
    "deepseek-v4-flash": Price(0.3, 1.2), "deepseek-v4-pro": Price(1.32, 3.96),
    # https://mistral.ai/pricing/api
    "codestral-2508": Price(0.3, 0.9), "mistral-large-2512": Price(0.5, 1.5), "mistral-small-2603": Price(0.15, 0.6),
}  # fmt: skip
_VENDORS = ("openai", "anthropic", "google", "deepseek", "mistralai")  # as routers prefix model names
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def price(model: str) -> Price | None:
    """The price of a model, None when unknown. `vendor/model` names of routers and dated snapshots are understood."""
    vendor, slash, rest = model.partition("/")
    name = rest if slash and vendor in _VENDORS else model
    return _TABLE.get(name) or _TABLE.get(_SNAPSHOT.sub("", name))


def price_of(config: LlmConfig) -> Price | None:
    """The price in force: the configured one, else the table's."""
    if config.input_usd_per_mtok is not None and config.output_usd_per_mtok is not None:
        return Price(config.input_usd_per_mtok, config.output_usd_per_mtok)
    return price(config.model)


def require_price(config: LlmConfig) -> Price:
    """The price in force, for a budget in dollars.

    Raises:
        InputError: the price is unknown.
    """
    known = price_of(config)
    if known is None:
        raise InputError(
            f"a budget in US dollars needs the price of {config.model!r}, which the table of {AS_OF} does not have: "
            "set ADRS_LLM_INPUT_USD_PER_MTOK and ADRS_LLM_OUTPUT_USD_PER_MTOK, or use a budget in tokens"
        )
    return known
