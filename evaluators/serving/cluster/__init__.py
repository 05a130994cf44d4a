"""A serving cluster: which instance a request goes to, what migrates, and how many instances run.

`interface` is the problem, `evaluator` scores it: `workloads` makes the streams, `simulator` runs a cluster of engines
behind a `Dispatcher` (`dispatcher` asks a policy, which sees `views`), `migrator` moves requests at the cost of
`migration`, and `score` sets the `outcome` between round-robin and the `bound`.
"""

from evaluators.serving.cluster.evaluator import ServingCluster

__all__ = ["ServingCluster"]
