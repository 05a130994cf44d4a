"""What one step costs under a placement: roofline of the activated replicas, all-to-all, and the fixed rest.

A layer takes (attention + shared experts) + dispatch + max over GPUs of the expert work + combine, one after the other
(no two-batch overlap). All times are seconds, all arrays [steps, layers] unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.moe.hardware import Cluster
from evaluators.moe.placement import Ints, Replicas
from evaluators.moe.shapes import ModelShape
from evaluators.moe.trace import Floats, Phase, Trace

DECODE_CONTEXT = 2048  # tokens of KV cache a decoding sequence reads (mean of conversational traces: prompt + reply)
PREFILL_LENGTH = 1024  # tokens of one prompt in a prefill step (Azure conversation trace 2023: median 1,020)


@dataclass(frozen=True)
class StepTimes:
    """Seconds per layer of the sampled steps of one interval."""

    experts: Floats  # slowest GPU
    communication: Floats  # dispatch + combine
    fixed: Floats  # attention + shared experts
    balance: Floats  # mean over max of tokens per GPU

    @property
    def layer(self) -> Floats:
        return self.experts + self.communication + self.fixed


@dataclass(frozen=True)
class CostModel:
    """Times of steps of one model on one cluster."""

    model: ModelShape
    cluster: Cluster

    @property
    def read_seconds(self) -> float:
        """Least time of an activated replica: its weights are read once."""
        return self.cluster.gpu.read_seconds(self.model.expert_bytes)

    @property
    def token_seconds(self) -> float:
        """Time of one token on one expert when compute-bound."""
        return self.cluster.gpu.flop_seconds(self.model.expert_flops, self.model.weight_bytes)

    @property
    def ridge(self) -> float:
        """Tokens per replica above which compute, not the weight read, sets its time."""
        return self.read_seconds / self.token_seconds

    @property
    def message_bytes(self) -> int:
        """Of one copy of a token, there and back."""
        return self.model.dispatch_bytes + self.model.combine_bytes

    def times(self, trace: Trace, interval: int, placement: Ints) -> StepTimes:
        """Times of all sampled steps of an interval if `placement` served them."""
        replicas = Replicas.of(placement, trace.experts, self.cluster.nodes)
        slot_tokens = replicas.deal(trace.counts[interval])
        steps, layers, slots = slot_tokens.shape
        by_gpu = (steps, layers, self.cluster.gpus, slots // self.cluster.gpus)
        work = self.replica_seconds(slot_tokens).reshape(by_gpu).sum(axis=3).max(axis=2)
        gpu_tokens = slot_tokens.reshape(by_gpu).sum(axis=3)
        busiest = gpu_tokens.max(axis=2)
        communication = np.empty((steps, layers))
        for phase in set(trace.phases):
            rows = trace.of_phase(phase)
            if phase == "decode":
                communication[rows] = self.low_latency_seconds(busiest[rows])
            else:
                nodes = _node_tokens(trace, interval, rows, replicas)
                communication[rows] = self.normal_seconds(busiest[rows], nodes.max(axis=2))
        balance = gpu_tokens.mean(axis=2) / np.maximum(busiest, 1)
        return StepTimes(work, communication, self._fixed(trace, interval, layers), balance)

    def replica_seconds(self, tokens: npt.NDArray[np.integer]) -> Floats:
        """Roofline of one replica given its tokens: max(weight read, FLOPs), and nothing when no token reaches it."""
        seconds: Floats = np.maximum(tokens * self.token_seconds, self.read_seconds * (tokens > 0))
        return seconds

    def low_latency_seconds(self, busiest: npt.NDArray[np.integer] | Floats) -> Floats:
        """Dispatch + combine of decode: every copy goes straight to its GPU (DeepEP low-latency kernels).

        `busiest`: copies that the busiest GPU receives. Its network card and its NVLink ports work side by side.
        """
        wire = self.cluster.remote_share / self.cluster.gpu.rdma_rate
        near = self.cluster.neighbour_share / self.cluster.gpu.nvlink_rate
        return self._both_ways(np.asarray(busiest * self.message_bytes * max(wire, near)))

    def normal_seconds(self, busiest: npt.NDArray[np.integer] | Floats, node_tokens: Floats) -> Floats:
        """Dispatch + combine of prefill: one copy a destination node, forwarded over NVLink (DeepEP normal kernels).

        `node_tokens`: tokens with an expert on the busiest node. Its network cards share them; the pipeline runs at the
        pace of the slower of wire and NVLink.
        """
        gpu = self.cluster.gpu
        wire = node_tokens * (self.cluster.remote_share / self.cluster.gpus_per_node / gpu.rdma_rate)
        near = busiest * ((1 - 1 / self.cluster.gpus) / gpu.nvlink_copy_rate)
        return self._both_ways(self.message_bytes * np.maximum(wire, near))

    def _both_ways(self, seconds: Floats) -> Floats:
        return seconds + 2 * self.cluster.gpu.kernel_latency

    def _fixed(self, trace: Trace, interval: int, layers: int) -> Floats:
        per_step = [
            self.fixed_seconds(phase, tokens / self.cluster.gpus)
            for phase, tokens in zip(trace.phases, trace.tokens[interval].tolist(), strict=True)
        ]
        return np.repeat(np.array(per_step)[:, None], layers, axis=1)

    def fixed_seconds(self, phase: Phase, tokens: float) -> float:
        """Attention and shared experts of a rank that holds `tokens` tokens: no placement changes them."""
        model, gpu = self.model, self.cluster.gpu
        dense = model.attention_params + 3 * model.hidden * model.shared_intermediate
        linear = max(
            gpu.read_seconds(dense * model.weight_bytes), gpu.flop_seconds(2 * dense * tokens, model.weight_bytes)
        )
        if phase == "decode":
            return linear + gpu.read_seconds(tokens * DECODE_CONTEXT * model.kv_bytes)
        scores = tokens * PREFILL_LENGTH / 2 * 2 * model.attention_width  # causal: half the square
        return linear + gpu.flop_seconds(scores, 2)


def _node_tokens(trace: Trace, interval: int, rows: list[int], replicas: Replicas) -> Floats:
    """Expected tokens with at least one of their experts on each node, [steps, layers, nodes].

    The experts of a token pick their replicas independently, so a token misses a node with the product of its experts'
    chances to. Where only counts are known, its experts are taken as independent draws as well.
    """
    if trace.types is None:
        tokens = trace.tokens[interval, rows][:, None, None]
        copies = np.einsum("sle,len->sln", trace.counts[interval, rows], replicas.by_node)
        per_token = copies.sum(axis=2, keepdims=True) / np.maximum(tokens, 1)  # = top_k
        share = copies / np.maximum(copies.sum(axis=2, keepdims=True), 1)
        return np.asarray(tokens * (1 - (1 - share) ** per_token))
    miss = 1 - replicas.by_node  # [layers, experts, nodes]
    layers = np.arange(len(miss))[:, None]
    missed = miss[layers, trace.types.experts[:, :, 0]]
    for choice in range(1, trace.types.experts.shape[2]):
        missed = missed * miss[layers, trace.types.experts[:, :, choice]]  # [layers, types, nodes]
    hits: Floats = np.tensordot(trace.types.tokens[interval, rows].astype(np.float64), 1 - missed, axes=(1, 1))
    return hits
