"""A user's own trace and deployment in place of the generated streams; see `evaluators.serving.recorded`.

`trace` also has slo: "strict" (default) or "relaxed". The default model is Llama-3.1-8B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cost.deployment import Deployment, Limits
from evaluators.serving.recorded import slo
from evaluators.serving.recorded.deployment import OwnDeployment
from evaluators.serving.recorded.trace import Trace
from evaluators.serving.slo.case import Case
from evaluators.serving.slo.promises import promised

MODEL = "Llama-3.1-8B"
LIMITS = Limits(max_batch_tokens=8192)


@dataclass(frozen=True)
class Recorded:
    """Streams of a trace, what serves them, and how strict the SLOs are."""

    trace: Trace
    deployment: Deployment
    multiple: float

    @classmethod
    def from_options(cls, trace: Mapping[str, Any], deployment: Mapping[str, Any]) -> Recorded:
        """Check the options and read the files. Raises InputError for either."""
        on = OwnDeployment.from_options(deployment, MODEL, LIMITS).engine
        return cls(Trace.from_options(trace, on, (slo.KEY,)), on, slo.multiple_of(trace))

    def workloads(self, split: Split) -> Sequence[Workload]:
        """See `Trace`."""
        return self.trace.workloads(split)

    def case(self, parameters: Mapping[str, Any]) -> Case:
        """A workload ready to run."""
        cached = self.trace.has_hashes
        requests = self.trace.at_load(parameters, self.deployment, cached)
        return Case([promised(self.deployment, each, self.multiple) for each in requests], self.deployment, cached)
