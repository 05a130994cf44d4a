# expect: wrong
"""Moves models onto one GPU until hardly any memory is free: below the reserve, though the weights themselves fit."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    answer = np.array(placement)
    for model in np.argsort(weights):
        if weights[answer == 0].sum() > memory[0] - 4.0:
            break
        answer[model] = 0
    return answer
