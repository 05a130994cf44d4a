# expect: timeout
"""Never answers."""


def choose(queue, history):
    while True:
        pass
