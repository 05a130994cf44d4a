# expect: ok
"""Changes what it was given, now and later."""

kept = []


def choose(queue, history):
    for old_queue, old_history in kept:
        old_queue.clear()
        old_history[:] = -1e9
    for job in queue:
        job.size = 0.0
        job.waited = -1e9
    history += 1e9
    kept.append((queue, history))
    return 0
