# expect: memory timeout
"""Millions of small objects at import."""

hoard = [[] for _ in range(10**9)]
