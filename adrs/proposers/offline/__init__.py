"""Evolution without an LLM: genetic programming on Python source, typed by what the interface declares.

A task (`mutate.py`) parses the parent (`program.py`), where one scan (`scan.py`) finds every expression and statement
with the names in scope, their kinds (`kinds.py`, `inference.py`) and roles (`roles.py`); operators (`operators/`)
rebuild the tree only along the path to the changed node (`spots.py`), so all other text stays as it was.
"""

from adrs.proposers.offline.proposer import OfflineProposer

__all__ = ["OfflineProposer"]
