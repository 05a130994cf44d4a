"""When the run ends because of its LLM."""

from __future__ import annotations

from adrs.errors import ProposerError


class Breaker:
    """Counts calls that failed for good without a success between them. Once open it stays open."""

    def __init__(self, threshold: int = 5) -> None:
        self.threshold = threshold
        self._failures = 0
        self._reason = ""

    def check(self) -> None:
        """Raises `ProposerError` when no further call should leave."""
        if self._reason:
            raise ProposerError(self._reason)

    def success(self) -> None:
        self._failures = 0

    def failure(self, message: str) -> None:
        """A call failed for good. Raises `ProposerError` when that was one too many in a row."""
        self._failures += 1
        if self._failures >= self.threshold:
            self.open(f"nothing succeeds: {self._failures} LLM calls in a row failed for good; the last: {message}")

    def open(self, reason: str) -> None:
        """Raises `ProposerError`, now and at every later check."""
        self._reason = self._reason or reason
        raise ProposerError(self._reason)
