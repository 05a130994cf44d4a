"""YAML in which every value knows where it was written, so that a mistake can be named by file, line and field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from adrs.errors import InputError

DEPTH = 32  # deeper nesting is a mistake, or an alias that contains itself
JSON_SCALARS = (str, int, float, bool, type(None))


@dataclass
class Located:
    """A value with its place; mappings and lists hold `Located` values again."""

    value: Any
    origin: str  # "problem.yaml:3" or "--set limits.cpu_seconds=5"
    field: str  # dotted, "" for the document

    def fail(self, message: str) -> NoReturn:
        """Raises InputError, one line that starts with the place."""
        place = f"{self.origin}: {self.field}" if self.field else self.origin
        raise InputError(_one_line(f"{place}: {message}"))

    def plain(self) -> Any:
        """The value as plain data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    @property
    def kind(self) -> str:
        """What the value is, in the words of YAML."""
        names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
        return names.get(type(self.value), f"the number {self.value}")


class _Loader(yaml.SafeLoader):
    """Safe loading, with `1e-3` a number as in YAML 1.2, and with dates left as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (yaml's own convention)
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_tree(path: Path) -> Located:
    """Read a YAML file that holds one mapping.

    Raises:
        InputError: the file cannot be read, is not UTF-8 or not YAML, is empty, is no mapping, or repeats a key.
    """
    tree = _parse(read_text(path, "the problem"), str(path), "", line_numbers=True)
    if tree.value is None:
        raise InputError(f"{path}: the file is empty; expected a problem, `adrs init NAME` writes a working one")
    if not isinstance(tree.value, dict):
        tree.fail(f"expected `key: value` lines, not {tree.kind}")
    return tree


def read_text(path: Path, what: str) -> str:
    """Text of a UTF-8 file, a byte order mark dropped. Raises InputError, in which `what` names the contents."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read {what}: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: {what} is not UTF-8 text; save the file in that encoding") from None


def override(tree: Located, assignment: str) -> None:
    """Apply one `key=value` of the command line; the key is dotted, the value YAML. Raises InputError."""
    origin = f"--set {assignment}"
    dotted, equals, text = assignment.partition("=")
    keys = [key.strip() for key in dotted.split(".")]
    if not equals or not all(keys):
        raise InputError(_one_line(f"{origin}: expected key=value with a dotted key, for example limits.cpu_seconds=5"))
    value = _parse(text, origin, dotted.strip(), line_numbers=False)
    place = tree
    for depth, key in enumerate(keys[:-1], start=1):
        if key not in place.value or place.value[key].value is None:
            place.value[key] = Located({}, origin, ".".join(keys[:depth]))
        place = place.value[key]
        if not isinstance(place.value, dict):
            message = f"{origin}: `{place.field}` is {place.kind} in {place.origin}, it has no fields to set"
            raise InputError(_one_line(message))
    place.value[keys[-1]] = value


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the closest known one, or all of them."""
    names = {name.lower(): name for name in known}
    word = word.lower()
    started = [name for name in names if word and name.startswith(word)]
    close = started if len(started) == 1 else difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean `{names[close[0]]}`?" if close else f"expected one of: {', '.join(names.values())}"


def _parse(text: str, origin: str, field: str, *, line_numbers: bool) -> Located:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Located(None, origin, field)
        return _located(loader, node, f"{origin}:" if line_numbers else origin, field, line_numbers, 0)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a tagged scalar such as `!!int abc`
        where = f"{origin}:{_line_of(error, text)}" if line_numbers else origin
        raise InputError(_one_line(f"{where}: not valid YAML: {_reason(error)}")) from None


def _located(loader: _Loader, node: yaml.Node, prefix: str, field: str, numbered: bool, depth: int) -> Located:
    origin = f"{prefix}{node.start_mark.line + 1}" if numbered else prefix
    place = Located(None, origin, field)
    if depth > DEPTH:
        place.fail(f"nested more than {DEPTH} deep; does an alias contain itself?")
    if isinstance(node, yaml.MappingNode):
        place.value = {}
        for key_node, value_node in node.value:
            key = _key(loader, key_node, prefix, field, numbered)
            child = _located(loader, value_node, prefix, f"{field}.{key}".lstrip("."), numbered, depth + 1)
            if numbered:  # the key's line: that of a value that starts below it would mislead
                child.origin = f"{prefix}{key_node.start_mark.line + 1}"
            if key in place.value:
                child.fail(f"given twice; the first is at {place.value[key].origin}, remove one")
            place.value[key] = child
    elif isinstance(node, yaml.SequenceNode):
        place.value = [
            _located(loader, item, prefix, f"{field}[{index}]", numbered, depth + 1)
            for index, item in enumerate(node.value)
        ]
    else:
        place.value = loader.construct_object(node)
        if not isinstance(place.value, JSON_SCALARS):
            place.fail(f"`{node.value}` is neither text nor a number, true, false or null; quote it if text is meant")
    return place


def _key(loader: _Loader, node: yaml.Node, prefix: str, field: str, numbered: bool) -> str:
    key = loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(key, str):
        place = Located(key, f"{prefix}{node.start_mark.line + 1}" if numbered else prefix, field)
        place.fail(f"the key `{str(node.value)[:40]}` is not text; put it in quotes")
    return key


def _one_line(message: str) -> str:
    return " ".join(message.splitlines())


def _line_of(error: Exception, text: str) -> int:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return error.problem_mark.line + 1
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1
    return 1


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.problem, error.context) if part)
    if isinstance(error, yaml.reader.ReaderError):
        return f"{error.reason} (character {error.character!r})"
    return str(error)


class Section:
    """A mapping whose fields are known: hands them out by type, each mistake an InputError at its place."""

    def __init__(self, place: Located, fields: Sequence[str]) -> None:
        if not isinstance(place.value, dict):
            place.fail(f"expected a mapping with some of {', '.join(fields)}, not {place.kind}")
        for key, child in place.value.items():
            if key not in fields:
                child.fail(f"unknown field; {suggest(key, fields)}")
        self.place = place

    def has(self, key: str) -> bool:
        """Whether the field is given and not null."""
        return key in self.place.value and self.place.value[key].value is not None

    def get(self, key: str, expected: str) -> Located:
        """A required field."""
        if not self.has(key):
            place = self.place.value.get(key, self.place)
            place.fail(f"the field `{key}` is missing; expected {expected}")
        child: Located = self.place.value[key]
        return child

    def text(self, key: str, expected: str) -> str:
        """A required text that is not blank."""
        child = self.get(key, expected)
        if not isinstance(child.value, str) or not child.value.strip():
            child.fail(f"expected {expected}, not {'blank text' if child.value == '' else child.kind}")
        return str(child.value).strip()

    def choice(self, key: str, options: Sequence[str]) -> str:
        """A required text out of a few."""
        child = self.get(key, f"one of {', '.join(options)}")
        if child.value not in options:
            child.fail(f"`{child.value}` is unknown; {suggest(str(child.value), options)}")
        return str(child.value)

    def flag(self, key: str, default: bool) -> bool:
        if not self.has(key):
            return default
        child = self.get(key, "true or false")
        if not isinstance(child.value, bool):
            child.fail(f"expected true or false, not {child.kind}")
        return child.value

    def number(self, key: str, expected: str, *, low: float, strict: bool = False) -> float:
        """A required finite number, at least `low`, or above it when `strict`."""
        child = self.get(key, expected)
        value = child.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            child.fail(f"expected {expected}, not {child.kind}")
        if not abs(value) < float("inf") or value < low or (strict and value == low):
            child.fail(f"expected {expected}, not {value}")
        return float(value)

    def numbers(self, keys: Sequence[str], expected: str, *, low: float, strict: bool = False) -> dict[str, float]:
        """Those of the optional fields that are given, as finite numbers."""
        return {key: self.number(key, expected, low=low, strict=strict) for key in keys if self.has(key)}

    def integers(self, keys: Sequence[str], expected: str, *, low: int) -> dict[str, int]:
        """Those of the optional fields that are given, as whole numbers."""
        values = self.numbers(keys, expected, low=low)
        for key, value in values.items():
            if not value.is_integer():
                self.get(key, expected).fail(f"expected {expected}, not {value}")
        return {key: int(value) for key, value in values.items()}
