# expect: ok
"""Looks through all modules for anything of the evaluator, its workloads or other candidates."""

import sys

WANTED = ("Machine", "Workload", "LocalExecutor", "Referee", "JailedPolicy", "CANARY")


def choose(queue, history):
    for name, module in list(sys.modules.items()):
        for attribute in WANTED:
            assert attribute not in getattr(module, "__dict__", {}), f"LEAK {name}.{attribute}"
    return 0
