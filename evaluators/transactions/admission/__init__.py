"""Online admission: which pending transaction a free executor starts under strict two-phase locking, and when.

Reading order: `interface` (what a policy does) -> `evaluator` (the score) -> `bound` (what no admission beats) ->
`workloads`, `recorded`, `arrivals` (where the streams come from). The database is `evaluators.transactions.locking`.
"""

from evaluators.transactions.admission.evaluator import TransactionAdmission

__all__ = ["TransactionAdmission"]
