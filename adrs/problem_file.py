"""Reads problem.yaml, with the overrides of the command line, into a validated `Problem`; and a problem's snapshot.

Every mistake is an `InputError` of one line: file and line (or the `--set`), field, what was expected, the mend.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

from adrs.catalogue import find_problem, seeds_root
from adrs.errors import InputError
from adrs.evaluation.executor import EvaluatorSpec, Executor, inspect_source
from adrs.evaluation.outcome import Limits
from adrs.problem import MINIMUM_CLUSTERS, Budget, Feature, Objective, Problem, Search, Verify
from adrs.yaml_tree import Located, Section, override, read_text, read_tree, suggest

PROBLEM_FIELDS = (
    "name", "title", "description", "evaluator", "options", "seed", "baselines", "objective", "limits", "search",
    "budget", "verify", "timed",
)  # fmt: skip
ENTRY_POINTS = "adrs.evaluators"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
TARGET_FORMS = "`package.module:Class`, `file.py:Class`, or the name of an entry point in `adrs.evaluators`"


def load_problem(reference: str | Path, overrides: Sequence[str] = ()) -> Problem:
    """Read and validate a problem.

    `reference` is the path of a YAML file or the name of a catalogue problem; `overrides` are `key=value` texts with
    dotted keys, which mean what they would mean in the file. Raises InputError.
    """
    path = _problem_path(reference)
    tree = read_tree(path)
    for assignment in overrides:
        override(tree, assignment)
    return dataclasses.replace(_Reading(path, tree).problem(), overrides=tuple(overrides))


async def check_seed(executor: Executor, problem: Problem) -> None:
    """Check that seed and baselines parse and define the interface; executes nothing.

    Raises:
        InputError: one does not; the message names its file and what is missing.
    """
    for name, source in {"seed": problem.seed, **problem.baselines}.items():
        inspection = await inspect_source(executor, source, problem.limits)
        if inspection.status != "ok":
            field = "seed" if name == "seed" else f"baselines.{name}"
            place = problem.files.get(name, f"{problem.name}: {field}")
            raise InputError(f"{place}: the policy named by `{field}` cannot be used: {inspection.error}")


def snapshot(problem: Problem) -> str:
    """The whole problem as JSON text, for `from_snapshot`."""
    return msgspec.json.encode(problem, enc_hook=str).decode()


def from_snapshot(text: str) -> Problem:
    """The problem whose `snapshot` this is, equal in every field. Raises InputError for any other text."""
    try:
        return msgspec.json.decode(text, type=Problem, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.MsgspecError as error:
        raise InputError(f"the stored problem cannot be read: {error}; was it written by another version?") from None


def problem_hash(problem: Problem) -> str:
    """16 hex digits over all that defines the problem: not its budget, nor where its files lie on this machine.

    The evaluator's code is not in it: that is the business of the executor's fingerprint.
    """
    target = re.sub(r"^.*[/\\]", "", problem.evaluator.target)
    defining = dataclasses.replace(
        problem,
        budget=Budget(),
        path=None,
        overrides=(),
        files={},
        evaluator=dataclasses.replace(problem.evaluator, target=target),
        baselines=dict(sorted(problem.baselines.items())),
    )
    return hashlib.sha256(snapshot(defining).encode()).hexdigest()[:16]


def _problem_path(reference: str | Path) -> Path:
    path = Path(reference)
    if isinstance(reference, Path) or path.is_file() or path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; expected the path of a problem's YAML file")
        return path
    return find_problem(str(reference))


class _Reading:
    """One pass over a problem's tree."""

    def __init__(self, path: Path, tree: Located) -> None:
        self.folder = path.resolve().parent
        self.path = path.resolve()
        self.top = Section(tree, PROBLEM_FIELDS)
        self.files: dict[str, str] = {}

    def problem(self) -> Problem:
        top = self.top
        name = top.text("name", "a short name, for example moe_placement")
        if not NAME.fullmatch(name):
            top.place.value["name"].fail(f"`{name}` has other characters than letters, digits, `_` and `-`")
        baselines = self.baselines()
        return Problem(
            name=name,
            title=top.text("title", "one line for people"),
            description=self.description(),
            evaluator=EvaluatorSpec(self.evaluator(), self.options()),
            objective=self.objective(),
            seed=self.policy("seed", top.get("seed", "the path of the starting policy's file")),
            baselines=baselines,
            limits=self.limits(),
            search=self.search(),
            budget=self.budget(),
            verify=self.verify(baselines),
            timed=top.flag("timed", False),
            path=self.path,
            files=self.files,
        )

    def description(self) -> str:
        """Text as it stands, or the contents of a file: one word that ends in .md or .txt."""
        expected = "the description: text, or the path of a .md or .txt file"
        text = self.top.text("description", expected)
        if len(text.split()) == 1 and text.endswith((".md", ".txt")):
            return self.contents(self.top.get("description", expected), "the description")
        return text

    def policy(self, name: str, place: Located) -> str:
        text = self.contents(place, "the policy")
        self.files[name] = str(self.find(place))
        return text

    def contents(self, place: Located, what: str) -> str:
        text = read_text(self.find(place), what)
        if not text.strip():
            place.fail(f"the file {self.find(place)} is empty; expected {what}")
        return text

    def find(self, place: Located) -> Path:
        """The file that a field names: looked for beside the YAML, then in the catalogue's seeds/."""
        if not isinstance(place.value, str) or not place.value.strip():
            place.fail(f"expected the path of a file, not {place.kind}")
        bases = (self.folder, seeds_root())
        found = next((base / place.value for base in bases if (base / place.value).is_file()), None)
        if found is not None:
            return found
        return place.fail(f"no file `{place.value}` in {' nor in '.join(map(str, bases))}; correct the path")

    def baselines(self) -> dict[str, str]:
        if not self.top.has("baselines"):
            return {}
        place = self.top.get("baselines", "")
        if not isinstance(place.value, dict):
            place.fail(f"expected a mapping of a baseline's name to its file, not {place.kind}")
        if "seed" in place.value:
            place.value["seed"].fail("`seed` always stands for the seed policy; give the baseline another name")
        return {name: self.policy(name, child) for name, child in place.value.items()}

    def evaluator(self) -> str:
        """The evaluator's target, checked as far as that is possible without running any of its code."""
        place = self.top.get("evaluator", TARGET_FORMS)
        target = self.top.text("evaluator", TARGET_FORMS)
        module, colon, name = target.rpartition(":")
        if not colon:
            known = [point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS)]
            if target not in known:
                place.fail(f"no entry point `{target}` is installed; expected {TARGET_FORMS}")
            return target
        if not name.isidentifier():
            place.fail(f"`{name}` is no class name; expected {TARGET_FORMS}")
        if module.endswith(".py"):
            return self.evaluator_file(place, module, name)
        if not DOTTED.fullmatch(module):
            place.fail(f"`{module}` is no module; expected {TARGET_FORMS}")
        if not _module_exists(module):
            place.fail(f"no module `{module}` can be found; install its package, or name a `file.py:Class`")
        return target

    def evaluator_file(self, place: Located, module: str, name: str) -> str:
        file = self.find(dataclasses.replace(place, value=module)).resolve()
        try:
            tree = ast.parse(read_text(file, "the evaluator"))
        except SyntaxError as error:
            raise InputError(f"{file}:{error.lineno}: the evaluator does not parse: {error.msg}") from None
        if name not in _bound_names(tree):
            classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
            place.fail(f"{file} has no class `{name}`; {suggest(name, classes) if classes else 'add it'}")
        return f"{file}:{name}"

    def options(self) -> str:
        if not self.top.has("options"):
            return "{}"
        place = self.top.get("options", "")
        if not isinstance(place.value, dict):
            place.fail(f"expected a mapping of the evaluator's options, not {place.kind}")
        try:
            return json.dumps(place.plain(), sort_keys=True, allow_nan=False)
        except ValueError:
            place.fail("an option is not a finite number; options are JSON data")

    def objective(self) -> Objective:
        expected = "a mapping such as {maximize: METRIC}"
        section = Section(self.top.get("objective", expected), ("maximize", "minimize", "aggregate"))
        directions = [key for key in ("maximize", "minimize") if section.has(key)]
        if len(directions) != 1:
            section.place.fail(f"expected either `maximize` or `minimize`, not {' and '.join(directions) or 'neither'}")
        values = {"metric": section.text(directions[0], "the name of a metric"), "direction": directions[0]}
        if section.has("aggregate"):
            values["aggregate"] = section.choice("aggregate", _choices(Objective, "aggregate"))
        return msgspec.convert(values, Objective)

    def limits(self) -> Limits:
        section = self.section("limits", Limits)
        seconds = "a number of CPU seconds above 0"
        values = section.numbers(("cpu_seconds", "call_seconds"), seconds, low=0, strict=True)
        values |= section.integers(("memory_mb", "source_kb"), "a whole number from 1", low=1)
        return msgspec.convert(values, Limits)

    def search(self) -> Search:
        section = self.section("search", Search)
        values: dict[str, object] = {**section.integers(("islands",), "a whole number from 1", low=1)}
        if section.has("strategy"):
            values["strategy"] = section.choice("strategy", _choices(Search, "strategy"))
        if section.has("features"):
            place = section.get("features", "")
            if not isinstance(place.value, list):
                place.fail(f"expected a list of {{name, low, high, bins}}, not {place.kind}")
            values["features"] = [_feature(Section(item, _names(Feature))) for item in place.value]
        return msgspec.convert(values, Search)

    def budget(self) -> Budget:
        section = self.section("budget", Budget)
        values: dict[str, float] = {}
        values |= section.integers(("candidates", "tokens", "stagnation"), "a whole number from 1", low=1)
        values |= section.numbers(("minutes", "usd"), "a number above 0", low=0, strict=True)
        values |= section.numbers(("target",), "a finite score", low=-math.inf)
        return msgspec.convert(values, Budget)

    def verify(self, baselines: dict[str, str]) -> Verify:
        section = self.section("verify", Verify)
        values: dict[str, object] = {}
        if section.has("comparator"):
            values["comparator"] = section.choice("comparator", ("seed", *baselines))
        values |= section.numbers(("minimum_effect",), "a difference of scores from 0", low=0)
        expected = f"a whole number from {MINIMUM_CLUSTERS}"
        values |= section.integers(("clusters",), expected, low=MINIMUM_CLUSTERS)
        return msgspec.convert(values, Verify)

    def section(self, key: str, kind: type) -> Section:
        place = self.top.place.value.get(key)
        if place is None or place.value is None:
            place = Located({}, self.top.place.origin, key)
        return Section(place, _names(kind))


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _choices(kind: type, field: str) -> tuple[str, ...]:
    return get_args(get_type_hints(kind)[field])


def _feature(section: Section) -> Feature:
    finite = "a finite number"
    feature = Feature(
        section.text("name", "a metric's name, or code_size"),
        section.number("low", finite, low=-math.inf),
        section.number("high", finite, low=-math.inf),
        **section.integers(("bins",), "a whole number from 1", low=1),
    )
    if feature.low >= feature.high:
        section.place.fail(f"`low` must be below `high`, and {feature.low} is not below {feature.high}")
    return feature


def _bound_names(tree: ast.Module) -> Iterator[str]:
    """Names that a module's top level can bind to a class: classes, imports and assignments."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _module_exists(name: str) -> bool:
    """Whether a module can be imported, found out without running any package's code."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    full = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return False
        full = f"{full}.{part}"
        spec = importlib.machinery.PathFinder.find_spec(full, spec.submodule_search_locations)
    return spec is not None
