"""Agents that people run, as `AgentProfile`s. What each figure comes from is said beside it.

Sources: public traces of Claude Code sessions; LMCache agent traces (github.com/LMCache/lmcache-agent-trace, commit
16a14ad, folders miniswe and magagent; tokens there are characters / 4).
"""

from __future__ import annotations

from evaluators.serving.traffic.agents import AgentProfile, Tool
from evaluators.serving.traffic.lengths import Lognormal, Quantiles

# Turns a session p50 45, p90 155, mean 68; output tokens mean 440, p50 216, p90 898, p99 3,686; new tokens a turn p50
# 713, p90 4,206; prompts of 122,000 tokens in the mean, p50 104,000. The recorded p99 of new tokens, 65,700, is that of
# prompts whose cache had expired, not of new text, so the tail here is a log-normal one.
# Gaps after a tool call: p5/25/50/75/90/95/99 = 3/5/9/19/71/152/611 s. The mixture of the five kinds has these
# quantiles; how it divides into kinds is an assumption, and so is one user's turn in twenty. Gaps of a user's turn:
# log-normal, p50 210 s, sigma 2.24, here cut at an hour.
_TOOLS = (
    Tool("read", 0.322, 4.57, 0.360),
    Tool("edit", 0.241, 7.97, 0.583),
    Tool("shell", 0.281, 14.5, 0.498),
    Tool("test", 0.119, 80.4, 0.758),
    Tool("agent", 0.037, 286.0, 1.171),
)
_USER = 0.05
CODING = AgentProfile(
    name="coding", key=0,
    turns=Lognormal(45, 0.965, high=1000),
    system_tokens=16_384,
    task=Lognormal(4000, 1.0, high=60_000),
    results=Lognormal(713, 1.385, high=50_000),
    answers=Quantiles(((0.0, 5), (0.01, 16), (0.1, 52), (0.5, 216), (0.9, 898), (0.99, 3686), (1.0, 8000))),
    tools=(
        *(Tool(one.name, one.share * (1.0 - _USER), one.median, one.sigma) for one in _TOOLS),
        Tool("user", _USER, 210.0, 2.24),
    ),
    context_limit=300_000, summary=3000,
)  # fmt: skip

# Calls a session p50 22, at most 30; first prompt p50 1,477 tokens; output p50 98, p90 191; new tokens a call p50 28,
# p75 317, p90 920, cut by the agent near 2,600. Gaps are recorded from start to start, p50 1.3 s and p90 3.9 s: the
# command's time is no longer than that.
MINI_SWE = AgentProfile(
    name="mini-swe", key=1,
    turns=Quantiles(((0.0, 6), (0.25, 11), (0.5, 22), (0.6, 30), (1.0, 30))),
    system_tokens=1024,
    task=Lognormal(450, 0.6, high=4000),
    results=Quantiles(((0.0, 1), (0.5, 28), (0.75, 317), (0.9, 920), (0.95, 2565), (1.0, 2610))),
    answers=Quantiles(((0.0, 20), (0.05, 52), (0.5, 98), (0.9, 191), (0.99, 294), (1.0, 600))),
    tools=(Tool("command", 1.0, 1.3, 0.857),),
    context_limit=131_072, summary=1000,
)  # fmt: skip

# A team in the manner of Magentic-One: calls a session p50 33, gaps p50 6.4 s, p90 12.3 s, again from start to start.
# In half of the calls the prompt shares nothing with the one before, because another agent of the team is asked.
TEAM = AgentProfile(
    name="team", key=2,
    turns=Quantiles(((0.0, 8), (0.05, 11), (0.25, 25), (0.5, 33), (0.75, 36), (0.95, 42), (1.0, 44))),
    system_tokens=320,
    task=Lognormal(600, 0.6, high=8000),
    results=Lognormal(40, 1.5, high=8000),
    answers=Quantiles(((0.0, 20), (0.05, 45), (0.25, 307), (0.5, 377), (0.75, 437), (0.95, 959), (1.0, 4000))),
    tools=(Tool("orchestration", 0.6, 5.5, 0.4), Tool("web", 0.4, 8.5, 0.5)),
    context_limit=131_072, summary=1000, roles=4, stay=0.5,
)  # fmt: skip

PROFILES = {profile.name: profile for profile in (CODING, MINI_SWE, TEAM)}
