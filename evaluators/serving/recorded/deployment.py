"""What serves a recorded trace: the option `deployment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.data import data_file
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.cost.models import Model, find_model
from evaluators.serving.cost.profile import IterationCost
from evaluators.serving.cost.recorded import read_measurements
from evaluators.serving.recorded.options import check_keys, text, whole

WHERE = "options.deployment"
KEYS = ("model", "gpu", "gpus", "profile")
GPU, GPUS = "H100", 1  # where none are given


@dataclass(frozen=True)
class OwnDeployment:
    """A model on the GPUs of one instance, with built-in costs or measured ones."""

    model: Model
    gpu: str
    engine: Deployment

    @classmethod
    def from_options(
        cls, given: Mapping[str, Any], model: str, limits: Limits, more: Sequence[str] = ()
    ) -> OwnDeployment:
        """Check the options and read the profile, if there is one.

        Args:
            model: The default.
            more: Keys that the problem has beside these; it reads them itself.

        Raises:
            InputError: wrong options, a profile that cannot be used, or a model that does not fit.
        """
        check_keys(WHERE, given, (*KEYS, *more))
        name, gpu = text(f"{WHERE}.model", given.get("model", model)), text(f"{WHERE}.gpu", given.get("gpu", GPU))
        gpus = whole(f"{WHERE}.gpus", given.get("gpus", GPUS), 1)
        cost = _profile(given["profile"]) if "profile" in given else None
        try:
            return cls(find_model(name), gpu, deployment(name, gpu, gpus, cost=cost, limits=limits))
        except InputError as error:
            raise InputError(f"{WHERE}: {error}") from None


def _profile(given: object) -> IterationCost:
    where = f"{WHERE}.profile"
    file = text(where, given)
    try:
        return read_measurements(data_file(file)).profile()
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
