"""Continuum as first published: a tool that takes 2 s or less on average has its session's KV pinned for 2 s.

Li et al., arXiv 2511.02230 v1, and the preview of its code (github.com/Hanchenli/vllm-continuum): the mean is that of
the tool's calls so far, 0 if there were none. Turns whose KV is pinned come first, then by their program's arrival.
"""

from interface import Retention

THRESHOLD = 2.0  # seconds

durations = {}  # tool: (calls, seconds in all)


def retain(now, session, engine):
    if session.tools:
        calls, seconds = durations.get(session.tools[-1], (0, 0.0))
        durations[session.tools[-1]] = calls + 1, seconds + session.gaps[-1]
    calls, seconds = durations.get(session.tool, (1, 0.0))
    return Retention(THRESHOLD if seconds / calls <= THRESHOLD else 0.0)


def order(now, waiting, engine):
    return [turn.id for turn in sorted(waiting, key=lambda turn: (not turn.preempted, not turn.pinned, turn.started))]
