"""A session's KV is pinned for some seconds while its tool runs; turns are served in order of arrival."""

from interface import Retention

PIN_S = 1.0  # seconds
SLOW_TOOL_S = 60.0  # a tool that takes longer on average is not waited for
CACHED = 0.0  # seconds that a turn may go ahead for each 1,000 tokens that it has in the cache
NEW = 0.0  # seconds that it has to go back for each 1,000 that are to be computed

durations = {}  # tool: (calls, seconds in all)


def retain(now, session, engine):
    if session.tools:
        calls, seconds = durations.get(session.tools[-1], (0, 0.0))
        durations[session.tools[-1]] = calls + 1, seconds + session.gaps[-1]
    calls, seconds = durations.get(session.tool, (1, 0.0))
    if seconds / calls > SLOW_TOOL_S:
        return Retention()
    return Retention(PIN_S)


def order(now, waiting, engine):
    return [turn.id for turn in sorted(waiting, key=place)]


def place(turn):
    """The smallest is admitted first."""
    new = turn.prompt_tokens - turn.cached_tokens
    return turn.arrived - CACHED * turn.cached_tokens / 1000 + NEW * new / 1000
