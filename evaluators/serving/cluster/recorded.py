"""A user's own trace and deployment in place of the generated streams; see `evaluators.serving.recorded`.

A stream has 1,200 requests by default. `deployment` also has instances (default 4) and ready, those of them that serve
at the start (default all); the default model is Llama-3.1-8B. A load is a share of what those ready at the start get
through together. Where prompts are known to begin alike, by the block hashes of a Mooncake trace, the instances have
prefix caches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cluster.simulator import Setting
from evaluators.serving.cluster.workloads import setting_of
from evaluators.serving.cost.deployment import Limits
from evaluators.serving.recorded.deployment import WHERE, OwnDeployment
from evaluators.serving.recorded.options import whole
from evaluators.serving.recorded.trace import Trace
from evaluators.serving.request import Request

MODEL = "Llama-3.1-8B"
REQUESTS = 1200
INSTANCES, MOST_INSTANCES = 4, 256


@dataclass(frozen=True)
class Recorded:
    """Streams of a trace, and the cluster that serves them."""

    trace: Trace
    setting: Setting

    @classmethod
    def from_options(cls, trace: Mapping[str, Any], deployment: Mapping[str, Any]) -> Recorded:
        """Check the options and read the files. Raises InputError for either."""
        own = OwnDeployment.from_options(deployment, MODEL, Limits(), ("instances", "ready"))
        instances = whole(f"{WHERE}.instances", deployment.get("instances", INSTANCES), 1, MOST_INSTANCES)
        ready = whole(f"{WHERE}.ready", deployment.get("ready", instances), 1, instances)
        streams = Trace.from_options(trace, own.engine, requests=REQUESTS)
        setting = setting_of(own.engine, own.gpu, instances, ready)
        return cls(streams, replace(setting, prefix_cache=streams.has_hashes))

    def workloads(self, split: Split) -> Sequence[Workload]:
        """See `Trace`."""
        return self.trace.workloads(split)

    def cluster(self, parameters: Mapping[str, Any]) -> tuple[Setting, list[Request]]:
        """What serves a workload, and its requests."""
        on = self.setting
        return on, self.trace.at_load(parameters, on.deployment, on.prefix_cache, on.ready)
