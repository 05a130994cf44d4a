"""Service level objectives: what is promised to requests, and of how many of them the promises can be kept at most.

`promises` (the times that a deployment is held to) -> `case` (a stream that is scored by them) -> `bound` (what no
scheduler beats). The problems whose score is the share of requests served in time share these.
"""
