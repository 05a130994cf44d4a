"""An LLM for whole runs: its reply is a function of the prompt alone, so that a run can be compared with another."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

from proposers.llm_server import Behaviour, mutated, parent_of


def steady(request: Any, n: int) -> Behaviour:
    """Changes one number of the parent; one prompt in ten gets chatter instead."""
    rng = random.Random(hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest())
    if rng.random() < 0.1:
        return Behaviour(reply="I would rather talk about something else.")
    return Behaviour(reply=mutated(parent_of(request), rng))
