"""Transaction scheduling: in which order, or when, transactions that touch the same rows run.

Reading order: `transaction` (what is scheduled) -> `generators`, `trace` (where transactions come from) -> `scheduling`
(offline: the order of a batch) -> `locking`, `admission` (online: strict two-phase locking) -> `postgres` (the same
policies on a real server).
"""

from evaluators.transactions.admission import TransactionAdmission
from evaluators.transactions.scheduling import TransactionScheduling

__all__ = ["TransactionAdmission", "TransactionScheduling"]
