"""The LLM proposer: candidates written by any OpenAI-compatible chat endpoint. See docs/llm.md.

`proposer` holds the conversation of a slot, `prompt`, `sections` and `directions` what is sent, `calls` one journaled
call with its retries, `client` the HTTP exchange, `retry` and `breaker` when to try again and when to give up,
`pricing` what it costs. Replies are applied by `adrs.proposers.edits`.
Importing this package imports neither openai nor an HTTP library.
"""

from adrs.proposers.llm.config import LlmConfig
from adrs.proposers.llm.pricing import Price, price, require_price
from adrs.proposers.llm.proposer import LlmProposer
from adrs.proposers.llm.retry import RetryPolicy

__all__ = ["LlmConfig", "LlmProposer", "Price", "RetryPolicy", "price", "require_price"]
