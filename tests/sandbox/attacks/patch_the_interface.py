# expect: ok
"""Changes the data classes that it shares with nobody."""

import interface


class Job:
    size = waited = 0.0


interface.Job = Job
interface.choose = None


def choose(queue, history):
    return 0
