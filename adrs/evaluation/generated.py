"""Workloads that are generated from seeds: the split's regimes, and which seeds each of them gets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from adrs.evaluation.protocol import Split, Workload

Regime = TypeVar("Regime")
_FIXED = 10_000  # seeds of train and validation lie below, those of test above
_FRESH = 2_000_000_000


@dataclass(frozen=True)
class Instances:
    """How many instances of each regime a split has."""

    train: int = 1
    validation: int = 4
    test: int = 3

    def of(self, split: Split) -> int:
        """The number for a split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


def list_generated(
    domain: str,
    split: Split,
    salt: int,
    familiar: Mapping[str, Regime],
    shifted: Mapping[str, Regime],
    parameters: Callable[[Regime, int], Mapping[str, Any]],
    instances: Instances,
    validation_only: Mapping[str, Regime] | None = None,
) -> list[Workload]:
    """The workloads of a split in the order of the regimes; each is a cluster of its own.

    All splits show the familiar regimes, train and validation with fixed seeds, test with seeds drawn from the salt.
    Validation adds some that it alone shows, so that what only fits train's kinds is not chosen; test adds the shifted
    ones, which nothing before it shows. `domain` keeps the seeds of two domains apart, `parameters` makes a workload's
    of regime and seed.
    """
    regimes = {**familiar, **{"train": {}, "validation": validation_only or {}, "test": shifted}[split]}
    return [
        Workload(f"{name}-{seed}", name, f"{name}-{seed}", parameters(regime, seed))
        for name, regime in regimes.items()
        for seed in _seeds(f"{domain}:{salt if split == 'test' else split}:{name}", split, instances.of(split))
    ]


def _seeds(key: str, split: Split, count: int) -> list[int]:
    keys = [key] if count == 1 else [f"{key}:{index}" for index in range(count)]
    if split == "test":
        return [_FIXED + _draw(one, _FRESH) for one in keys]
    return [_draw(one, _FIXED) for one in keys]


def _draw(key: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % below
