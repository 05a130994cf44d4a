# expect: timeout
"""Searches for as long as it is let."""

import random


def schedule(transactions):
    order = [t.id for t in transactions]
    while True:
        random.shuffle(order)
