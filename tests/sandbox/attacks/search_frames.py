# expect: ok
"""Walks the frames of everything that called it, for the workload and for the way out."""

import sys


def choose(queue, history):
    frame, names = sys._getframe(), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            text = type(value).__name__
            assert text not in ("Machine", "Workload", "Evaluate", "Listed", "EvaluatorSpec"), f"LEAK {name}: {text}"
        frame = frame.f_back
    assert "choose" in names
    return 0
