"""Which model is asked, where and how."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from adrs.errors import InputError

OPENAI_URL = "https://api.openai.com/v1"
_PREFIX = "ADRS_LLM_"


@dataclass(frozen=True)
class LlmConfig:
    """All that is configurable; plain values, so that a run can record them. The key itself is never held.

    Raises:
        InputError: a value is out of its range.
    """

    model: str
    base_url: str = OPENAI_URL
    api_key_env: str = "OPENAI_API_KEY"
    temperature: float | None = None  # None: the endpoint's default (some models accept no other)
    max_tokens: int = 8192  # of one reply, reasoning included
    timeout_seconds: float = 300.0  # of one call, from request to the reply's last byte
    concurrency: int = 8  # calls in flight
    context_tokens: int = 24_000  # of one prompt, estimated
    input_usd_per_mtok: float | None = None  # US dollars a million tokens; both, or the table of `pricing`
    output_usd_per_mtok: float | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("no LLM model named: give --model NAME or set ADRS_MODEL")
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.netloc:
            raise InputError(f"base_url {self.base_url!r}: expected an address such as http://127.0.0.1:8000/v1")
        if address.username or address.password:
            raise InputError(f"base_url has a user name or password in it: put the key into {self.api_key_env}")
        for name in ("max_tokens", "timeout_seconds", "concurrency", "context_tokens"):
            if not self._number(name) > 0:
                raise InputError(f"{name} is {self._number(name)}: expected a number above 0")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}: expected a number from 0 to 2")
        if (self.input_usd_per_mtok is None) != (self.output_usd_per_mtok is None):
            raise InputError("give both input_usd_per_mtok and output_usd_per_mtok, or neither")
        for price in (self.input_usd_per_mtok, self.output_usd_per_mtok):
            if price is not None and not 0 <= price < 1e6:
                raise InputError(f"a price of {price} US dollars a million tokens: expected a number from 0 to 1e6")

    def _number(self, name: str) -> float:
        return float(vars(self)[name])

    @classmethod
    def from_environment(
        cls, model: str | None = None, base_url: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> LlmConfig:
        """Arguments first, then ADRS_MODEL, OPENAI_BASE_URL, and ADRS_LLM_<FIELD> for every other field.

        Raises:
            InputError: no model is named, or a variable holds no valid value.
        """
        config = cls(
            model=model or environment.get("ADRS_MODEL", ""),
            base_url=base_url or environment.get("OPENAI_BASE_URL") or OPENAI_URL,
            api_key_env=environment.get(_PREFIX + "API_KEY_ENV", "OPENAI_API_KEY"),
        )
        numbers: dict[str, float | int] = {}
        for field in fields(cls):
            text = environment.get(_PREFIX + field.name.upper())
            if text is None or field.name in ("model", "base_url", "api_key_env"):
                continue
            try:
                numbers[field.name] = int(text) if field.type == "int" else float(text)
            except ValueError:
                raise InputError(f"{_PREFIX}{field.name.upper()}={text!r}: expected a number") from None
        return replace(config, **numbers)  # type: ignore[arg-type]  # checked by __post_init__

    @property
    def is_openai(self) -> bool:
        return f".{urlsplit(self.base_url).hostname}".endswith(".api.openai.com")

    def api_key(self, environment: Mapping[str, str] = os.environ) -> str:
        """The key to send; a placeholder for endpoints that need none.

        Raises:
            InputError: OpenAI's own endpoint without a key.
        """
        key = environment.get(self.api_key_env, "").strip()
        if not key and self.is_openai:
            raise InputError(
                f"{self.base_url} needs a key: set {self.api_key_env}, or OPENAI_BASE_URL to another endpoint"
            )
        return key or "none"
