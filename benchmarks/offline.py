"""How good is the offline proposer without a search around it? Rates of valid, changed and better children.

    python benchmarks/offline.py [PROPOSALS_PER_POLICY]

Children of four seed policies are run in this process on small simulators (tests/proposers/policies). `runs` is the
share that ends without an exception and with an answer that the simulator accepts, `changed` the share that then
behaves differently from its parent, `better` the share with a higher score.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "proposers"))

from policies.arena import ARENAS, Arena, Refused

from adrs.proposers.offline.mutate import Result, Task, mutate


@dataclass
class Tally:
    proposals: int = 0
    runs: int = 0
    changed: int = 0
    better: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def row(self, name: str) -> str:
        shares = (count / max(1, self.proposals) for count in (self.runs, self.changed, self.better))
        return f"{name:24s}{self.proposals:8d}" + "".join(f"{share:10.1%}" for share in shares)


def measure(arena: Arena, proposals: int, tallies: dict[str, Tally], verbose: bool) -> float:
    """Propose from the seed, with two earlier children as mates. Returns the CPU seconds spent in proposing."""
    score, behaviour = arena.evaluate(arena.seed)
    children: list[str] = []
    spent = 0.0
    for slot in range(proposals):
        mates = tuple(children[-2:])
        task = Task(arena.seed, mates, arena.interface, 64, slot)
        started = time.process_time()
        result = mutate(task)
        spent += time.process_time() - started
        outcome = judge(arena, result, score, behaviour)
        if result.source is not None and outcome in ("changed", "better"):
            children.append(result.source)
        names = [change.operator for change in result.changes] if len(result.changes) == 1 else ["(several)"]
        for name in (f"[{arena.name}]", "(all)", *names):
            count(tallies.setdefault(name, Tally()), outcome)
        if verbose and outcome not in ("same", "changed", "better"):
            print(arena.name, slot, outcome, [(c.operator, c.note) for c in result.changes])
    return spent


def judge(arena: Arena, result: Result, score: float, behaviour: object) -> str:
    """`same`, `changed`, `better`, or what went wrong."""
    if result.source is None:
        return "no child: " + result.error
    try:
        new_score, new_behaviour = arena.evaluate(result.source)
    except Refused as refused:
        return f"Refused: {refused}"
    except Exception as error:  # a candidate may raise anything
        return f"{type(error).__name__}: {error}"
    if new_behaviour == behaviour:
        return "same"
    return "better" if new_score > score else "changed"


def count(tally: Tally, outcome: str) -> None:
    tally.proposals += 1
    tally.runs += outcome in ("same", "changed", "better")
    tally.changed += outcome in ("changed", "better")
    tally.better += outcome == "better"


def main() -> None:
    proposals = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    tallies: dict[str, Tally] = {}
    warnings.simplefilter("ignore")  # children divide by zero as they please
    spent = sum(measure(arena, proposals, tallies, "-v" in sys.argv) for arena in ARENAS)
    print(f"{'operator':24s}{'children':>8s}{'runs':>10s}{'changed':>10s}{'better':>10s}")
    for name in sorted(tallies):
        print(tallies[name].row(name))
    print(f"{1000 * spent / (proposals * len(ARENAS)):.0f} CPU ms a proposal")


if __name__ == "__main__":
    main()
