"""The real tier: orders and admission policies of this package on a PostgreSQL, beside what the simulator says.

Needs the extra `postgres`; nothing outside of this package imports it. Reading order: `server` and `keeper` (the
user's server or a throw-away one) -> `database` (the tables and what must hold of them) -> `client`, `execution`
(clients behind a sequencer) -> `calibration` -> `settings`, `wall` (what is compared) -> `comparison` -> `ranks`,
`agreement`, `report`.
"""
