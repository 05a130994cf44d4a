"""One random order: where the scale of the score begins, give or take its luck."""

import random


def schedule(transactions):
    order = [t.id for t in transactions]
    random.Random(0).shuffle(order)
    return order
