"""First come, first served."""


def choose(
    now: float,
    loaded: int,
    setup: float,
    family: list[int],
    work: list[float],
    weight: list[float],
    arrival: list[float],
) -> int:
    best, best_priority = 0, float("-inf")
    for job in range(len(work)):
        switch = 0.0 if family[job] == loaded else setup
        value = priority(now - arrival[job], work[job], weight[job], switch)
        if value > best_priority:
            best, best_priority = job, value
    return best


def priority(waited: float, work: float, weight: float, switch: float) -> float:
    return waited
