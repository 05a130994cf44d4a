"""A simulator of concurrency control by locks: strict two-phase locking, and PostgreSQL's rules.

    outcome = simulate(transactions, arrivals, executors, Rules(), by_rank(order))
    outcome = simulate(transactions, arrivals, executors, postgresql_rules(operation=1.0, commit=0.5), choose)

Reading order: `rules` (what is locked, who aborts) -> `simulator` (the events) -> `locks` (who holds and awaits what)
-> `outcome`.
"""

from evaluators.transactions.locking.outcome import Outcome
from evaluators.transactions.locking.rules import Rules, postgresql_rules
from evaluators.transactions.locking.simulator import Attempt, Choose, Refused, by_rank, first_come, simulate

__all__ = ["Attempt", "Choose", "Outcome", "Refused", "Rules", "by_rank", "first_come", "postgresql_rules", "simulate"]
