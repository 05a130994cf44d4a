# expect: timeout
"""An error whose text never ends."""


class Error(Exception):
    def __str__(self):
        while True:
            pass


def choose(queue, history):
    raise Error
