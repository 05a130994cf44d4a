"""Agent serving: how long an agent's KV is kept while its tool runs, and whose turn is next.

Reading order: `interface` (what a policy does) -> `evaluator` (the score) -> `simulation` (the closed loop), `pins`,
`scheduler`, `host` (its parts) -> `bound` (what no policy beats) -> `workloads`. The engine is that of all serving
problems, `evaluators.serving.engine`.
"""

from evaluators.serving.agents.evaluator import ServingAgents

__all__ = ["ServingAgents"]
