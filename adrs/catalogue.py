"""The problems that come with the toolkit: where they lie, and a list of them that loads no evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adrs.errors import InputError
from adrs.yaml_tree import read_tree, suggest

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class CatalogueEntry:
    name: str
    title: str
    domain: str  # the evaluator's package, for example `moe` of `evaluators.moe:ExpertPlacement`
    timed: bool
    path: Path


def catalogue_root() -> Path:
    """The folder that holds problems/ and seeds/: inside of an installed package, else the checkout around it."""
    installed = PACKAGE / "_catalogue"
    return installed if installed.is_dir() else PACKAGE.parent


def seeds_root() -> Path:
    """Starting policies and published baselines, one folder a problem."""
    return catalogue_root() / "seeds"


def list_problems() -> list[CatalogueEntry]:
    """All problems of the catalogue by name. Raises InputError when one of the files cannot be read."""
    return [_entry(path) for path in _files()]


def find_problem(name: str) -> Path:
    """The file of a catalogue problem. Raises InputError, with the closest name, when there is none."""
    paths = {path.stem: path for path in _files()}
    if name not in paths:
        hint = suggest(name, paths) if paths else "the catalogue is empty"
        raise InputError(f"{name}: no such problem; {hint} (`adrs problems` lists them; a file's name ends in .yaml)")
    return paths[name]


def _files() -> Iterator[Path]:
    return iter(sorted((catalogue_root() / "problems").glob("*.yaml")))


def _entry(path: Path) -> CatalogueEntry:
    plain = read_tree(path).plain()
    name = str(plain.get("name", path.stem))
    timed = plain.get("timed") is True
    return CatalogueEntry(name, str(plain.get("title", name)), domain_of(str(plain.get("evaluator", ""))), timed, path)


def domain_of(target: str) -> str:
    """The domain that an evaluator's name tells: its package, its file's stem, or the entry point itself."""
    module = target.partition(":")[0]
    if module.endswith(".py"):
        return Path(module).stem
    parts = module.split(".")
    return parts[1] if parts[0] == "evaluators" and len(parts) > 1 else parts[0]
