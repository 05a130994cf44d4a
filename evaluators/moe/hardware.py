"""The cluster: GPUs in nodes, and the rates that kernels and links reach on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """Nominal rates of one GPU and the fraction of them that MoE kernels and all-to-all kernels reach.

    Nominal: NVIDIA H100 SXM data sheet (3.35 TB/s, 989 TFLOP/s dense BF16, twice that in FP8, 400 Gb/s InfiniBand a
    GPU). Reached fractions were read off NVIDIA's measured kernel tables (aiconfigurator-core 0.12, h100_sxm): weight
    reads 0.75-0.87 of the memory rate (SGLang DeepEP MoE, vLLM Triton MoE), large GEMMs 0.42-0.52 of the peak;
    DeepEP low-latency kernels inside a node 13 us plus 230-280 GB/s. DeepEP's own table (docs/legacy.md, EP32 to
    EP128) gives 38-43 GB/s over the wire once copies that stay in the node are taken out. Inside a node normal kernels
    send one copy a GPU, not one an expert: 309 GB/s, which is 450 GB/s per expert copy at top-8 over 8 GPUs.
    `benchmarks/moe_check.py` prints the comparison.
    """

    memory_rate: float = 3.35e12  # bytes/s
    bf16_peak: float = 989e12  # FLOP/s
    memory_efficiency: float = 0.8
    compute_efficiency: float = 0.5
    rdma_rate: float = 42e9  # bytes/s a GPU and direction
    nvlink_rate: float = 250e9  # bytes/s a GPU and direction, low-latency kernels and weight transfers
    nvlink_copy_rate: float = 450e9  # bytes of expert copies/s, normal kernels
    kernel_latency: float = 13e-6  # of one dispatch or combine

    def read_seconds(self, size: float) -> float:
        """Stream `size` bytes from memory."""
        return size / (self.memory_rate * self.memory_efficiency)

    def flop_seconds(self, flops: float, weight_bytes: int) -> float:
        """Compute `flops` in FP8 (weight_bytes 1) or BF16 (2)."""
        peak = self.bf16_peak * (2 / weight_bytes)
        return flops / (peak * self.compute_efficiency)


@dataclass(frozen=True)
class Cluster:
    """Nodes of equal size. Rank = GPU: data-parallel attention, expert-parallel experts over all of them."""

    nodes: int
    gpus_per_node: int
    gpu: Gpu = Gpu()

    @property
    def gpus(self) -> int:
        return self.nodes * self.gpus_per_node

    @property
    def remote_share(self) -> float:
        """Share of a GPU's incoming copies that come from other nodes (sources hold equal shares of the tokens)."""
        return 1 - 1 / self.nodes

    @property
    def neighbour_share(self) -> float:
        """Share that comes from other GPUs of its own node."""
        return (self.gpus_per_node - 1) / self.gpus
