"""What arrives: seeded generators of requests, and readers of recorded traces.

Reading order: `lengths`, `modulation` and `arrivals` (the parts), `stream` (requests made of them), `azure`,
`burstgpt`, `servegen`, `sessions` and `offline` (kinds of traffic), `agents` and `agent_profiles` (closed loops),
`predictions`, `summary` (figures of a stream), `loaders` (recorded traces). Sources and comparisons:
docs/serving_traffic.md.
"""
