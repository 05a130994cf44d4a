# expect: memory timeout
"""Takes memory until there is no more."""

hoard = []


def choose(queue, history):
    while True:
        hoard.append(bytearray(16 * 2**20))
