"""A user's own trace and deployment in place of the generated workloads; see `evaluators.serving.recorded`.

`trace` also has slo: "strict" (default) or "relaxed". The default model is Qwen3-30B-A3B; it must be a mixture of
experts. All requests of a workload are promised the same, as the interface has it: what `slo.promises` says of a prompt
that is as long as nine in ten of train are at most. There is no prefix cache, so prompts that begin alike are computed
each for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.cost.models import MODELS, Model
from evaluators.serving.moe_prefill.workloads import LIMITS
from evaluators.serving.recorded import slo
from evaluators.serving.recorded.deployment import WHERE, OwnDeployment
from evaluators.serving.recorded.trace import Trace
from evaluators.serving.request import Request
from evaluators.serving.slo.case import Case
from evaluators.serving.slo.promises import promised

MODEL = "Qwen3-30B-A3B"
QUANTILE = 0.9  # of the prompts of train, whose time to the first token is promised to all


@dataclass(frozen=True)
class Recorded:
    """Streams of a trace, what serves them, and what is promised to all requests.

    Args:
        promise: Any request, for its SLOs.
    """

    trace: Trace
    model: Model
    deployment: Deployment
    promise: Request

    @classmethod
    def from_options(cls, trace: Mapping[str, Any], deployment: Mapping[str, Any]) -> Recorded:
        """Check the options and read the files. Raises InputError for either."""
        own = OwnDeployment.from_options(deployment, MODEL, LIMITS)
        if not own.model.experts:
            mixtures = " or ".join(model.name for model in MODELS.values() if model.experts)
            raise InputError(
                f"{WHERE}.model: expected a mixture of experts ({mixtures}), got the dense {own.model.name!r}; "
                f"serving_batching takes it"
            )
        streams = Trace.from_options(trace, own.engine, (slo.KEY,))
        return cls(streams, own.model, own.engine, promised(own.engine, _typical(streams), slo.multiple_of(trace)))

    def workloads(self, split: Split) -> Sequence[Workload]:
        """See `Trace`."""
        return self.trace.workloads(split)

    def case(self, parameters: Mapping[str, Any]) -> Case:
        """A workload ready to run."""
        requests = self.trace.at_load(parameters, self.deployment, cached=False)
        ttft, tbt = self.promise.ttft_slo, self.promise.tbt_slo
        return Case([replace(each, ttft_slo=ttft, tbt_slo=tbt) for each in requests], self.deployment)


def _typical(trace: Trace) -> Request:
    """With a prompt of as many tokens as nine in ten of train's have at most."""
    prompts = [each.prompt_tokens for place in trace.places("train") for each in trace.streams[place]]
    return Request(0, 0.0, int(np.quantile(prompts, QUANTILE)), 1)
