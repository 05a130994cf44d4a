"""A user's own trace and deployment in place of the generated workloads; what the problems share of it.

Options (`--set options=...` or `options: {...}` in the problem):

    trace        file: a trace in a public format, or data:NAME of `adrs data`; start, seconds, count and only as in
                 `evaluators.serving.traffic.loaders`; requests: of a stream (default 400); loads: shares of the
                 capacity (default [0.6, 0.8, 1.0])
    deployment   model, gpu, gpus: see `evaluators.serving.cost` (default one H100); profile: a CSV file of
                 measurements, for pairs that are not built in

A problem may add keys of its own; see the module `recorded` in its package. Reading order: `options` (checks) ->
`deployment` (what serves) -> `trace` (streams, cut and reserved for the splits) -> `slo` (what is promised).
"""
