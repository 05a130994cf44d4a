# expect: wrong
"""A pickle that would run code if it were loaded."""


def choose(queue, history):
    return b"cos\nsystem\n(S'touch /tmp/adrs-attack'\ntR."
