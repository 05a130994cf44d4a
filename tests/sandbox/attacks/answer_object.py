# expect: wrong
"""An object that claims to be equal to everything."""


class Everything(int):
    def __eq__(self, other):
        return True

    def __le__(self, other):
        return True

    __lt__ = __ge__ = __gt__ = __le__
    __hash__ = None


def choose(queue, history):
    return Everything(10**6)
