# expect: wrong
"""A list within a list, a hundred thousand times."""


def choose(queue, history):
    nested = []
    for _ in range(10**5):
        nested = [nested]
    return nested
