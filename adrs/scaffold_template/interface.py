"""What a policy defines. This text goes into prompts and is the only code of the problem that a policy can see."""


def choose(
    now: float,
    loaded: int,
    setup: float,
    family: list[int],
    work: list[float],
    weight: list[float],
    arrival: list[float],
) -> int:
    """Index of the waiting job that a free machine starts.

    Args:
        now: the time, seconds.
        loaded: the family that the machine is set up for; -1 if it has not run yet.
        setup: seconds that a set-up takes; none is needed for a job of the family `loaded`.
        family, work, weight, arrival: one entry a waiting job, in order of arrival: its family, its seconds of work,
            its weight, and when it arrived.
    """
    raise NotImplementedError
