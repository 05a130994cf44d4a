"""Schedulers of serving_batching in this process, on toy engines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from evaluators.serving.batching import interface
from evaluators.serving.batching.asking import Asking
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.serve import serve
from evaluators.serving.request import Request

SEEDS = Path(__file__).parents[2] / "seeds" / "serving_batching"
POLICIES = sorted(path.stem for path in SEEDS.glob("*.py"))


class Trusted:
    """Implements `adrs.evaluation.protocol.Policy` over a function, without copies."""

    def __init__(self, schedule: Callable[..., interface.Step]) -> None:
        self.seconds = 0.0
        self.schedule = schedule

    def call(self, function: str, *arguments: Any) -> Any:
        assert function == "schedule"
        return self.schedule(*arguments)


def load(path: Path) -> Any:
    """A policy file as a module, fresh."""
    module = ModuleType(path.stem)
    sys.modules["interface"] = interface
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


def seed(name: str) -> Trusted:
    """A published policy."""
    return Trusted(load(SEEDS / f"{name}.py").schedule)


def served_by(
    policy: Trusted, on: Deployment, requests: Sequence[Request], sharing: bool = False, until: float = 1e9
) -> Instance:
    """An engine that has answered all requests."""
    instance = Instance(on, Asking(policy, until), Recorder(), PrefixCache(on.block_size) if sharing else None)
    serve(instance, requests)
    return instance
