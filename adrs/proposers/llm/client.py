"""One HTTP exchange with a chat endpoint, through the official client with its retries off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from adrs.proposers.llm.config import LlmConfig
from adrs.proposers.llm.retry import retry_after

if TYPE_CHECKING:
    import openai

MAX_BODY_BYTES = 8 << 20
MAX_REPLY_CHARS = 1 << 18
MAX_TOKENS = 1 << 32  # that an endpoint is believed to have counted
Verdict = Literal["retry", "give_up", "fatal"]

_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|extra (inputs|fields)", re.IGNORECASE
)


@dataclass(frozen=True)
class Completion:
    """A reply as received; token counts are None where the endpoint reports none."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    reply_tokens: int | None


class CallFailed(Exception):
    """One call brought no reply. `outcome` is for the journal: `http_<status>`, `timeout`, `disconnected`, ..."""

    def __init__(self, outcome: str, message: str, verdict: Verdict, after: float | None = None) -> None:
        super().__init__(f"{outcome}: {message}" if message else outcome)
        self.outcome = outcome
        self.message = message
        self.verdict = verdict
        self.retry_after = after


class ChatClient:
    """Connections to one endpoint. Learns which parameters it refuses: those are renamed or left out from then on."""

    def __init__(self, config: LlmConfig) -> None:
        self.config = config
        self._key = config.api_key()
        self._openai: openai.AsyncOpenAI | None = None
        # OpenAI's reasoning models refuse `max_tokens`; most other servers know nothing else.
        self._limit_name = "max_completion_tokens" if config.is_openai else "max_tokens"
        self._send_temperature = config.temperature is not None

    async def complete(self, messages: Sequence[Mapping[str, str]], call_name: str) -> Completion:
        """Send the messages and wait for the whole reply. `call_name` goes along as X-Client-Request-Id.

        Raises:
            CallFailed: for every way in which no reply comes.
        """
        client = self._opened()
        import httpx2
        import openai

        options = self._options()
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                body = await self._exchange(client, messages, options, call_name)
        except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException):
            raise CallFailed("timeout", f"no reply within {self.config.timeout_seconds:g} seconds", "retry") from None
        except openai.APIStatusError as error:
            raise self._refused(error, options) from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise self._unconnected(error) from None
        return _completion(body)

    async def close(self) -> None:
        if self._openai is not None:
            await self._openai.close()
            self._openai = None

    def _opened(self) -> openai.AsyncOpenAI:
        if self._openai is None:
            import openai

            self._openai = openai.AsyncOpenAI(
                api_key=self._key, base_url=self.config.base_url, max_retries=0, timeout=self.config.timeout_seconds
            )
        return self._openai

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {self._limit_name: self.config.max_tokens}
        if self._send_temperature:
            options["temperature"] = self.config.temperature
        return options

    async def _exchange(
        self,
        client: openai.AsyncOpenAI,
        messages: Sequence[Mapping[str, str]],
        options: Mapping[str, Any],
        call_name: str,
    ) -> bytes:
        """The body of a 200, read in pieces so that an endless one can be refused."""
        create: Any = client.chat.completions.with_streaming_response.create
        body = bytearray()
        headers = {"X-Client-Request-Id": call_name}
        async with create(model=self.config.model, messages=messages, extra_headers=headers, **options) as response:
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise CallFailed("oversized", f"the answer has more than {MAX_BODY_BYTES >> 20} MiB", "give_up")
        return bytes(body)

    def _refused(self, error: openai.APIStatusError, options: Mapping[str, Any]) -> CallFailed:
        detail = self._clean(_detail(error))
        status = error.status_code
        if status in (400, 422) and self._adapt(detail, options):
            return CallFailed(f"http_{status}", detail, "retry", 0.0)
        after = retry_after(error.response.headers, datetime.now(UTC))
        if status == 429 and error.code == "insufficient_quota":
            return CallFailed("http_429", detail, "fatal")
        return CallFailed(f"http_{status}", detail, verdict(status), after)

    def _adapt(self, detail: str, options: Mapping[str, Any]) -> bool:
        """Whether a parameter was refused that the next try sends otherwise."""
        if not _UNSUPPORTED.search(detail):
            return False
        if "temperature" in options and "temperature" in detail:
            self._send_temperature = False
            return True
        sent = "max_tokens" if "max_tokens" in options else "max_completion_tokens"
        if sent in detail:
            self._limit_name = "max_completion_tokens" if sent == "max_tokens" else "max_tokens"
            return True
        return False

    def _unconnected(self, error: Exception) -> CallFailed:
        import httpx2

        cause = error.__cause__ or error
        detail = self._clean(str(cause)) or type(cause).__name__
        # A request that never left cost nothing.
        outcome = "http_unreachable" if isinstance(cause, httpx2.ConnectError) else "disconnected"
        return CallFailed(outcome, f"{self.config.base_url}: {detail}", "retry")

    def _clean(self, text: str) -> str:
        """One short line, without the key."""
        return _line(text.replace(self._key, "***") if len(self._key) >= 8 else text)


def verdict(status: int) -> Verdict:
    """What an HTTP status means for the next try."""
    if status in (401, 402, 403, 404):
        return "fatal"
    return "retry" if status in (408, 409, 425, 429) or status >= 500 else "give_up"


def _line(text: str) -> str:
    return _storable(" ".join(text.split())[:300])


def _storable(text: str) -> str:
    """Without lone surrogates, which the archive cannot store."""
    return text.encode("utf-8", "replace").decode()


def _detail(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, Mapping):
        message = body.get("message") or body.get("detail") or body.get("error")
        return str(message or body)
    return str(body or error.message)


def _completion(body: bytes) -> Completion:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise CallFailed("malformed", f"the answer is not JSON: {_line(repr(body[:80]))}", "retry") from None
    if not isinstance(document, dict):
        raise CallFailed("malformed", "the answer is not a JSON object", "retry")
    if error := document.get("error"):
        raise _wrapped(error)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise CallFailed("malformed", "the answer has no choices", "retry")
    message = choices[0].get("message")
    usage = document.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(
        text=_text(message if isinstance(message, dict) else {})[:MAX_REPLY_CHARS],
        finish_reason=str(choices[0].get("finish_reason") or ""),
        prompt_tokens=_count(counts.get("prompt_tokens")),
        reply_tokens=_count(counts.get("completion_tokens")),
    )


def _wrapped(error: object) -> CallFailed:
    """Routers report an upstream failure inside of a 200."""
    fields = error if isinstance(error, dict) else {"message": error}
    message, code = _line(str(fields.get("message") or error)), fields.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return CallFailed(f"http_{code}", message, verdict(code))
    return CallFailed("malformed", message, "retry")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, list):  # content parts
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return _storable(str(content))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS else None
