"""Workloads from seeds: what each split shows, and what the salt changes."""

from __future__ import annotations

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload

FAMILIAR = {"calm": 1.0, "busy": 2.0}
VALIDATION_ONLY = {"ebb": 0.5}
SHIFTED = {"flood": 9.0}


def listed(split: Split, salt: int = 0, domain: str = "shop") -> list[Workload]:
    def parameters(load: float, seed: int) -> dict[str, float]:
        return {"load": load, "seed": seed}

    return list_generated(domain, split, salt, FAMILIAR, SHIFTED, parameters, Instances(1, 4, 3), VALIDATION_ONLY)


def test_validation_and_test_each_add_regimes_of_their_own() -> None:
    assert [one.regime for one in listed("train")] == ["calm", "busy"]
    assert [one.regime for one in listed("validation")] == ["calm"] * 4 + ["busy"] * 4 + ["ebb"] * 4
    assert [one.regime for one in listed("test", 5)] == ["calm"] * 3 + ["busy"] * 3 + ["flood"] * 3


def test_no_instance_is_in_two_splits_or_under_two_salts() -> None:
    lists = [listed("train"), listed("validation"), *(listed("test", salt) for salt in range(5))]
    hashes = [one.hash for workloads in lists for one in workloads]
    assert len(set(hashes)) == len(hashes)


def test_the_salt_changes_test_alone_and_repeats_it() -> None:
    assert listed("train", 1) == listed("train", 2)
    assert listed("validation", 1) == listed("validation", 2)
    assert listed("test", 1) == listed("test", 1)
    assert not {one.hash for one in listed("test", 1)} & {one.hash for one in listed("test", 2)}


def test_domains_have_seeds_of_their_own() -> None:
    assert not {one.hash for one in listed("test", 1)} & {one.hash for one in listed("test", 1, "office")}


def test_each_instance_is_a_cluster_of_its_own() -> None:
    workloads = listed("test", 3)
    assert len({one.cluster for one in workloads}) == len({one.name for one in workloads}) == len(workloads)
