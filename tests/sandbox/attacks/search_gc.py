# expect: ok
"""Looks through every object that the garbage collector knows, the strings among them."""

import gc
import re

SECRET = re.compile("(evaluator|environment|candidate)-canary-[0-9]")


def choose(queue, history):
    for thing in gc.get_objects():
        for referent in gc.get_referents(thing):
            assert type(referent).__name__ not in ("Machine", "Workload", "Evaluate", "Listed"), f"LEAK {referent}"
            assert type(referent) is not str or not SECRET.search(referent), f"LEAK {referent}"
    return 0
