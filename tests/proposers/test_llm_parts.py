"""Configuration, prices, retries and the breaker of the LLM proposer."""

from __future__ import annotations

import random
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adrs.errors import InputError, ProposerError
from adrs.proposers.llm import LlmConfig, LlmProposer, RetryPolicy, price, require_price
from adrs.proposers.llm.breaker import Breaker
from adrs.proposers.llm.proposer import summary
from adrs.proposers.llm.retry import retry_after

LOCAL = "http://127.0.0.1:8000/v1"


class TestConfig:
    def test_arguments_win_over_the_environment(self) -> None:
        environment = {"ADRS_MODEL": "a", "OPENAI_BASE_URL": LOCAL, "ADRS_LLM_CONCURRENCY": "3"}
        config = LlmConfig.from_environment("b", environment=environment)
        assert (config.model, config.base_url, config.concurrency) == ("b", LOCAL, 3)
        assert (
            LlmConfig.from_environment(base_url="https://x.org/v1", environment=environment).base_url
            == "https://x.org/v1"
        )

    def test_each_field_has_a_variable(self) -> None:
        values = {
            "TEMPERATURE": "0.7", "MAX_TOKENS": "100", "TIMEOUT_SECONDS": "2.5", "CONCURRENCY": "2",
            "CONTEXT_TOKENS": "5000", "INPUT_USD_PER_MTOK": "0", "OUTPUT_USD_PER_MTOK": "1.5",
            "API_KEY_ENV": "MY_KEY",
        }  # fmt: skip
        environment = {f"ADRS_LLM_{name}": value for name, value in values.items()}
        config = LlmConfig.from_environment("m", LOCAL, environment)
        assert config == LlmConfig("m", LOCAL, "MY_KEY", 0.7, 100, 2.5, 2, 5000, 0.0, 1.5)
        assert {name.lower() for name in values} == asdict(config).keys() - {"model", "base_url"}

    def test_it_can_be_recorded(self) -> None:
        config = LlmConfig("m", LOCAL, temperature=0.5)
        assert LlmConfig(**asdict(config)) == config

    @pytest.mark.parametrize(
        ("environment", "expected"),
        [
            ({}, "no LLM model named: give --model NAME or set ADRS_MODEL"),
            ({"ADRS_MODEL": "m", "OPENAI_BASE_URL": "localhost:8000"}, "base_url 'localhost:8000'"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_MAX_TOKENS": "many"}, "ADRS_LLM_MAX_TOKENS='many': expected a number"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_MAX_TOKENS": "1.5"}, "ADRS_LLM_MAX_TOKENS='1.5': expected a number"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_CONCURRENCY": "0"}, "concurrency is 0.0: expected a number above 0"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_TIMEOUT_SECONDS": "nan"}, "timeout_seconds is nan"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_TEMPERATURE": "3"}, "temperature is 3.0"),
            ({"ADRS_MODEL": "m", "ADRS_LLM_INPUT_USD_PER_MTOK": "3"}, "give both"),
            (
                {"ADRS_MODEL": "m", "ADRS_LLM_INPUT_USD_PER_MTOK": "-1", "ADRS_LLM_OUTPUT_USD_PER_MTOK": "1"},
                "a price of -1.0",
            ),
        ],
    )
    def test_mistakes_are_one_line(self, environment: dict[str, str], expected: str) -> None:
        with pytest.raises(InputError) as caught:
            LlmConfig.from_environment(environment=environment)
        assert expected in str(caught.value) and "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://api.openai.com/v1", True),
            ("https://eu.api.openai.com/v1", True),
            ("https://notapi.openai.com/v1", False),
            (LOCAL, False),
        ],
    )
    def test_which_endpoint_is_openais(self, url: str, expected: bool) -> None:
        assert LlmConfig("m", url).is_openai is expected

    def test_credentials_do_not_belong_in_the_address(self) -> None:
        with pytest.raises(InputError, match="put the key into OPENAI_API_KEY") as caught:
            LlmConfig("m", "https://me:secret@example.com/v1")
        assert "secret" not in str(caught.value)

    def test_only_openai_needs_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert LlmConfig("m", LOCAL).api_key() == "none"
        with pytest.raises(InputError, match="needs a key: set OPENAI_API_KEY"):
            LlmProposer(LlmConfig("m"))

    def test_a_key_of_another_name(self) -> None:
        assert LlmConfig("m", LOCAL, "ROUTER_KEY").api_key({"ROUTER_KEY": " k \n", "OPENAI_API_KEY": "no"}) == "k"


class TestPrices:
    @pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"])
    def test_names(self, model: str) -> None:
        known = price(model)
        assert known is not None and known.usd(1_000_000, 1_000_000) == pytest.approx(0.75)

    def test_a_snapshot_with_its_own_price(self) -> None:
        snapshot, current = price("gpt-4o-2024-05-13"), price("gpt-4o")
        assert snapshot is not None and current is not None and snapshot.input == 2 * current.input

    @pytest.mark.parametrize("model", ["llama3.2", "gpt-4o-minimal", "someone/gpt-4o", "o3x", ""])
    def test_unknown(self, model: str) -> None:
        assert price(model) is None

    def test_a_dollar_budget_needs_a_price(self) -> None:
        with pytest.raises(InputError, match=r"price of 'llama3\.2', which the table of 2026-11 does not have"):
            require_price(LlmConfig("llama3.2", LOCAL))
        free = LlmConfig("llama3.2", LOCAL, input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)
        assert require_price(free).usd(10**6, 10**6) == 0

    def test_overrides_win(self) -> None:
        config = LlmConfig("gpt-4o", LOCAL, input_usd_per_mtok=7.0, output_usd_per_mtok=9.0)
        assert require_price(config).usd(1_000_000, 2_000_000) == pytest.approx(25)


class TestRetryPolicy:
    def test_full_jitter_grows_and_is_capped(self) -> None:
        policy = RetryPolicy(attempts=20, base_seconds=1, cap_seconds=8)
        rng = random.Random(1)
        for failures, most in ((1, 1), (2, 2), (3, 4), (4, 8), (12, 8)):
            delays = [policy.delay(failures, None, rng) or 0.0 for _ in range(400)]
            assert 0 <= min(delays) < 0.1 * most and 0.9 * most < max(delays) <= most

    def test_attempts_count_the_first_call(self) -> None:
        policy = RetryPolicy(attempts=3)
        delays = [policy.delay(failures, None, random.Random(1)) for failures in (1, 2, 3)]
        assert [delay is None for delay in delays] == [False, False, True]

    def test_retry_after_is_the_least(self) -> None:
        policy = RetryPolicy(base_seconds=1, patience_seconds=30)
        delay = policy.delay(1, 20.0, random.Random(1))
        assert delay is not None and 20 <= delay <= 21
        assert policy.delay(1, 31.0, random.Random(1)) is None

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({}, None),
            ({"retry-after": "12"}, 12),
            ({"retry-after": "0.5"}, 0.5),
            ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
            ({"retry-after": "Sun, 01 Nov 2026 12:00:30 GMT"}, 30),
            ({"retry-after": "Sun, 01 Nov 2026 11:00:00 GMT"}, 0),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-3"}, None),
            ({"retry-after": "inf"}, None),
        ],
    )
    def test_header(self, headers: dict[str, str], expected: float | None) -> None:
        assert retry_after(headers, datetime(2026, 11, 1, 12, tzinfo=UTC)) == expected


class TestBreaker:
    def test_it_opens_after_so_many_in_a_row_and_stays_open(self) -> None:
        breaker = Breaker(3)
        for message in ("a", "b"):
            breaker.failure(message)
        breaker.success()
        for message in ("c", "d"):
            breaker.failure(message)
        breaker.check()
        with pytest.raises(ProposerError, match="3 LLM calls in a row failed for good; the last: e"):
            breaker.failure("e")
        breaker.success()
        with pytest.raises(ProposerError, match="the last: e"):
            breaker.check()

    def test_the_first_reason_stays(self) -> None:
        breaker = Breaker()
        for reason in ("first", "second"):
            with pytest.raises(ProposerError, match="first"):
                breaker.open(reason)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("I weigh jobs\nby size.\n\nMore text.\n```python\nx\n```", "I weigh jobs by size."),
        ("<think>hm</think>\n# Change\n\nShorter first.\n<<<<<<< SEARCH\n", "Shorter first."),
        ("```python\nx = 1\n```\nThat was it.", ""),
        ("A first sentence. " + "word " * 80, "A first sentence."),
        ("word " * 80, "word " * 59 + "word…"),
        ("\n" * 250_000 + "At last.", "At last."),
        ("", ""),
    ],
)
def test_summary(reply: str, expected: str) -> None:
    assert summary(reply) == expected
    assert len(summary(reply)) <= 300


def test_every_setting_is_documented_with_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs/llm.md").read_text()
    rows = {match[1]: match[2] for match in re.finditer(r"^\| `ADRS_LLM_(\w+)` \| ([^|]*) \|", text, re.MULTILINE)}
    defaults = asdict(LlmConfig("m"))
    for name in defaults.keys() - {"model", "base_url"}:
        assert f"`ADRS_LLM_{name.upper()}`" in text
    for name in ("max_tokens", "concurrency", "context_tokens", "timeout_seconds"):
        assert float(rows[name.upper()]) == defaults[name]
