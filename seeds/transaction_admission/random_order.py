"""Any pending transaction."""

import random

rng = random.Random(0)


def next_transaction(now, pending, running):
    return rng.choice(pending).id
