"""The GPUs that serve: figures of their data sheets (dense BF16 rate, thermal design power)."""

from __future__ import annotations

from dataclasses import dataclass

from adrs.errors import InputError

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Args:
        memory_bytes: What the driver leaves to an engine, 1 to 8 % below the data sheet.
        bytes_per_second: Memory bandwidth.
        flops_per_second: Dense BF16 with accumulation in FP32.
        watts: Thermal design power.
        host_bytes_per_second: What a copy to host memory over PCIe reaches: about 80 % of x16 of its generation.
    """

    name: str
    memory_bytes: int
    bytes_per_second: float
    flops_per_second: float
    watts: float
    host_bytes_per_second: float


_PCIE_4, _PCIE_5 = 25e9, 50e9
_GPUS = (
    Gpu("A100", 81050 * MIB, 2.039e12, 312e12, 400, _PCIE_4),
    Gpu("H100", 81079 * MIB, 3.35e12, 989e12, 700, _PCIE_5),
    Gpu("H200", 143156 * MIB, 4.8e12, 989e12, 700, _PCIE_5),
    Gpu("B200", 182642 * MIB, 8.0e12, 2250e12, 1000, _PCIE_5),
    Gpu("L4", 22563 * MIB, 0.300e12, 121e12, 72, _PCIE_4),
    Gpu("A10", 22592 * MIB, 0.600e12, 125e12, 150, _PCIE_4),
    Gpu("A40", 45416 * MIB, 0.696e12, 149.7e12, 300, _PCIE_4),
    Gpu("L40S", 45457 * MIB, 0.864e12, 362e12, 350, _PCIE_4),
    Gpu("RTX4090", 24081 * MIB, 1.008e12, 165.2e12, 450, _PCIE_4),
    Gpu("RTXPRO6000", 97251 * MIB, 1.597e12, 503.8e12, 600, _PCIE_5),
)
GPUS = {gpu.name: gpu for gpu in _GPUS}


def find_gpu(name: str) -> Gpu:
    """The GPU of that name. Raises InputError if there is none."""
    if name not in GPUS:
        raise InputError(f"GPU {name!r}: unknown; use one of {', '.join(GPUS)}")
    return GPUS[name]
