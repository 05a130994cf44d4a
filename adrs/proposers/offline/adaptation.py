"""What the search learns from committed candidates: which operators succeed, and how long steps should be.

Both are folds over the committed prefix and small enough to be stored with each slot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adrs.proposers.base import Candidate
from adrs.proposers.offline.numbers import STEPS
from adrs.proposers.offline.operators import OPERATORS

_FORGET = 0.995  # weight that a trial keeps with each later trial of its operator
_DOUBT = 12.0  # trials of the common rate that each operator is credited with beforehand
_COMMON_RATE = 0.08  # of success, assumed beforehand
_FLOOR = 0.3  # share of the choice that follows the priors whatever happens

_GROW = 1.25  # factor on a step size at a success
_SHORTEST, _LONGEST = 0.02, 1.5


@dataclass
class _Record:
    tries: float = 0.0
    wins: float = 0.0


@dataclass
class Adaptation:
    """Probability matching with a floor (Thierens, GECCO 2005) over operators, and the 1/5 success rule for steps.

    The step rule is that of Kern et al., Natural Computing 3 (2004): times `_GROW` at a success, divided by its fourth
    root at a failure, which balances at one success in five. A step without any effect was too short.
    """

    _records: dict[str, _Record] = field(default_factory=lambda: {name: _Record() for name in OPERATORS})
    _steps: dict[str, float] = field(default_factory=lambda: dict(STEPS))

    def observe(self, candidate: Candidate) -> None:
        """Learn from a committed candidate. Those of other proposers, and empty slots, teach nothing."""
        changes = [change for change in candidate.notes.get("changes", ()) if change["operator"] in self._records]
        if candidate.parent_score is None or candidate.status in ("void", "unapplied"):
            return
        won = candidate.score is not None and candidate.score > candidate.parent_score
        for change in changes:
            self._credit(self._records[change["operator"]], won, 1.0 / len(changes))
            if change.get("step") in self._steps:
                self._adapt_step(change["step"], candidate, won)

    def _credit(self, record: _Record, won: bool, share: float) -> None:
        keep = _FORGET**share
        record.tries = record.tries * keep + share
        record.wins = record.wins * keep + share * won

    def _adapt_step(self, name: str, candidate: Candidate, won: bool) -> None:
        without_effect = candidate.status == "duplicate" or candidate.score == candidate.parent_score
        factor = _GROW if won else math.sqrt(_GROW) if without_effect else _GROW**-0.25
        self._steps[name] = min(_LONGEST, max(_SHORTEST, self._steps[name] * factor))

    def hints(self) -> Mapping[str, Any]:
        """`weights`: operator -> chance (they sum to one), `steps`: class of constants -> standard deviation."""
        values = {name: OPERATORS[name].prior * self._rate(record) for name, record in self._records.items()}
        priors = math.fsum(operator.prior for operator in OPERATORS.values())
        total = math.fsum(values.values())
        weights = {
            name: round(_FLOOR * OPERATORS[name].prior / priors + (1.0 - _FLOOR) * value / total, 4)
            for name, value in values.items()
        }
        return {"weights": weights, "steps": {name: round(step, 4) for name, step in self._steps.items()}}

    def _rate(self, record: _Record) -> float:
        return (record.wins + _DOUBT * _COMMON_RATE) / (record.tries + _DOUBT)
