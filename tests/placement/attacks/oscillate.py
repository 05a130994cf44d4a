# expect: ok
"""Swaps the models of GPUs alike on every call: the same pressure but for the loading, so it must score below 0."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    answer = placement.copy()
    for gpu in range(0, len(memory) - 1, 2):
        if memory[gpu] == memory[gpu + 1]:
            answer[placement == gpu] = gpu + 1
            answer[placement == gpu + 1] = gpu
    return answer
