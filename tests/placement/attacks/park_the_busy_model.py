# expect: ok
"""Keeps the most demanded model loading for ever, so that it never presses: must score below 0."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    busy = int((rates.mean(axis=0) / slo).argmax())
    for gpu in range(len(memory)):
        held = weights[placement == gpu].sum() + weights[busy]
        if gpu != placement[busy] and held <= memory[gpu] - 4.0:
            placement[busy] = gpu
            break
    return placement
