"""Never move: the placement that the cluster started with stays."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return placement
