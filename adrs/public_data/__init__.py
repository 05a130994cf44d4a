"""Public data sets: a registry, and copies of them at the user's machine.

Reading order: `registry` (what there is), `store` (where copies lie), `download` (how one comes).
"""

from adrs.public_data.download import get
from adrs.public_data.registry import DataSet, find, registered
from adrs.public_data.store import Copy, Inventory, inventory, present

__all__ = ["Copy", "DataSet", "Inventory", "find", "get", "inventory", "present", "registered"]
