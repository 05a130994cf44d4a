# expect: timeout
"""A pattern that backtracks for ever."""

import re


def choose(queue, history):
    return 0 if re.match(r"(a+)+$", "a" * 60 + "b") else 1
