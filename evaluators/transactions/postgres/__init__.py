"""The real tier: orders and admission policies of this package on a PostgreSQL, beside what the simulator says."""
