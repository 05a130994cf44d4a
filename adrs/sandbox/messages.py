"""What the coordinator and a referee say to each other: length-prefixed msgpack over a private socket."""

from __future__ import annotations

import struct

import msgspec

from adrs.evaluation.executor import Description, EvaluatorSpec
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed
from adrs.evaluation.protocol import Split
from adrs.sandbox.jail import SandboxMode

LENGTH = struct.Struct("<I")


class Open(msgspec.Struct, tag=True):
    """The first request: load the evaluator, stay on one core. `timed`: evaluations are to be timed."""

    evaluator: EvaluatorSpec
    sandbox: SandboxMode
    core: int | None
    timed: bool = False


class ListWorkloads(msgspec.Struct, tag=True):
    split: Split
    salt: int


class Inspect(msgspec.Struct, tag=True):
    source: str


class Evaluate(msgspec.Struct, tag=True):
    source: str
    workload: Listed
    limits: Limits


class Describe(msgspec.Struct, tag=True):
    """Includes a probe of the layers that confine a policy on this machine."""


class Opened(msgspec.Struct, tag=True):
    pass


class Evaluated(msgspec.Struct, tag=True):
    evaluation: Evaluation
    wall: bool = False  # a timeout of the wall-clock backstop


class Described(msgspec.Struct, tag=True):
    description: Description


class Workloads(msgspec.Struct, tag=True):
    listed: list[Listed]


class Inspected(msgspec.Struct, tag=True):
    inspection: Inspection


class Refused(msgspec.Struct, tag=True):
    """The house failed, or (status `input`) what the user gave is wrong."""

    status: str
    message: str


Request = Open | ListWorkloads | Inspect | Evaluate | Describe
Reply = Opened | Described | Workloads | Inspected | Evaluated | Refused
