"""Vector bin packing with a scored fit: among the hosts with room, the one with the best score.

The score is the weighted rest after packing, as in Panigrahy et al., Heuristics for Vector Bin Packing (2011).
"""

import math

import numpy as np

CPU_WEIGHT = 0.5
MEMORY_WEIGHT = 0.1
SLACK = 0.05


def has_room(cpu, memory, row):
    """Whether a host with these free shares can take the machine."""
    return row[0] >= cpu and row[1] >= memory


def rest_after(cpu, memory, row):
    """What is left of the host."""
    return row[0] - cpu, row[1] - memory


def imbalance(left_cpu, left_memory):
    """How differently the two resources are left."""
    return math.fabs(left_cpu - left_memory)


def score(cpu, memory, row):
    """Larger is better."""
    left_cpu, left_memory = rest_after(cpu, memory, row)
    rest = CPU_WEIGHT * left_cpu + MEMORY_WEIGHT * left_memory
    value = rest - 0.01 * imbalance(left_cpu, left_memory)
    if left_cpu < SLACK and left_memory < SLACK:
        value += 1.0
    return value


def nearly_full(free):
    """Hosts with next to nothing left."""
    return (free < 0.01).any(axis=1)


def choose(cpu, memory, free):
    """The host with the best score among those with room."""
    num_hosts = len(free)
    if num_hosts == 0:
        return -1
    closed = nearly_full(free)
    best = -1
    best_score = -np.inf
    for host in range(num_hosts):
        if closed[host]:
            continue
        row = free[host]
        if not has_room(cpu, memory, row):
            continue
        value = score(cpu, memory, row)
        if value > best_score:
            best = host
            best_score = value
    return int(best)
