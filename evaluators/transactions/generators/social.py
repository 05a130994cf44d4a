"""A read-mostly social graph after TAO (Bronson et al., "TAO: Facebook's Distributed Data Store for the Social Graph",
USENIX ATC 2013) and TAOBench's transactions (Cheng et al., "TAOBench", PVLDB 15(9), 2022): feeds read many objects and
association lists at once, writes touch few, and popularity follows a power law.

Contention needs writers: TAO as a whole has 0.2 % of them, so `write_share` is that of the hot part of a graph, the
part that is worth scheduling.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.transactions.generators.skew import Zipf
from evaluators.transactions.generators.workload import (
    INSERT,
    Operation,
    Request,
    check_count,
    check_share,
    check_skew,
    read,
    write,
)


@dataclass(frozen=True)
class Social:
    """`objects` are users and their posts, each with an association list (of likes, comments, friends)."""

    objects: int = 5_000
    theta: float = 0.9  # skew of their popularity
    write_share: float = 0.3  # of the transactions
    shortest: int = 5  # objects that a feed reads
    longest: int = 25

    def __post_init__(self) -> None:
        check_skew("social", self.theta)
        check_share("social", "write_share", self.write_share)
        check_count("social", "shortest", self.shortest)
        check_count("social", "longest", self.longest, self.shortest)
        check_count("social", "objects", self.objects, max(self.longest, 3))

    def requests(self, count: int, rng: random.Random) -> Iterator[Request]:
        """Kinds are "feed", "like", "befriend" and "post"."""
        zipf = Zipf(self.objects, self.theta)
        for _ in range(count):
            if rng.random() < self.write_share:
                yield _change(zipf, rng)
            else:
                yield self._feed(zipf, rng)

    def _feed(self, zipf: Zipf, rng: random.Random) -> Request:
        """Objects with or without their association lists, as a page of results asks for them."""
        operations: list[Operation] = []
        for chosen in zipf.draw_distinct(rng, rng.randint(self.shortest, self.longest)):
            operations.append(read("object", chosen))
            if rng.random() < 0.5:
                operations.append(read("list", chosen))
        return Request("feed", tuple(operations))


def _change(zipf: Zipf, rng: random.Random) -> Request:
    """A write, often of both directions of an association, which TAO keeps as a pair (section 3.2)."""
    one, two, three = zipf.draw_distinct(rng, 3)
    match rng.choices(("like", "befriend", "post"), (50, 25, 25))[0]:
        case "like":
            return Request("like", (read("object", one), read("object", two), write("list", one), write("list", two)))
        case "befriend":
            rows = read("object", one), read("object", two), write("list", one), write("list", two)
            return Request("befriend", (*rows, write("object", one), write("object", two)))
        case _:
            return Request(
                "post", (read("object", one), INSERT, write("list", one), write("object", two), write("list", three))
            )
