"""When a failed call is tried again."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    `attempts` counts the first call; seconds throughout.
    """

    attempts: int = 6
    base_seconds: float = 1.0
    cap_seconds: float = 60.0
    patience_seconds: float = 600.0  # the longest Retry-After that is obeyed

    def delay(self, failures: int, retry_after: float | None, rng: random.Random) -> float | None:
        """How long to wait after the given number of failures (1, 2, ...); None when there is no point in waiting.

        A server's Retry-After is a minimum: jitter is added, so that calls that were refused together spread out.
        """
        if failures >= self.attempts:
            return None
        backoff = rng.uniform(0.0, min(self.cap_seconds, self.base_seconds * 2.0 ** (failures - 1)))
        if retry_after is None:
            return backoff
        return retry_after + backoff if retry_after <= self.patience_seconds else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110 section 10.2.3), if given."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name, "")
        try:
            seconds = float(text) * scale
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
