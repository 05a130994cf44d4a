"""Model placement: which GPU each of several LLMs lives on, and when one moves.

Reading order: `interface` (what a policy does) -> `fleet` (models, GPUs, what a placement is) -> `timeline` (how its
answers are lived through) -> `bound` (what no policy beats) and `clairvoyant` (the best plan of a small cluster) ->
`loading`, `traffic`, `workloads`, `recording` (where the figures come from).
"""

from evaluators.placement.evaluator import ModelPlacement

__all__ = ["ModelPlacement"]
