# expect: crash
"""An exception that `except Exception` does not catch."""


class Escape(BaseException):
    pass


def choose(queue, history):
    raise Escape("out")
