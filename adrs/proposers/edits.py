"""Applies a model's reply to its parent: SEARCH/REPLACE blocks or a whole file, EVOLVE-BLOCK regions enforced.

Pure and deterministic: the same parent and reply always give the same text or the same reason, so that replies kept in
an archive can be applied again.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from adrs.proposers.regions import OutsideChanged, Regions, marked, redent

MAX_SOURCE_CHARS = 1 << 17
MAX_BLOCKS = 100
MAX_FENCES = 20
_MAX_COMPARED = 100_000  # lines, to locate one block

_SEARCH = re.compile(r"^\s*<{5,9} ?SEARCH\s*$")
_DIVIDER = re.compile(r"^\s*={7}\s*$")
_REPLACE = re.compile(r"^\s*>{5,9} ?REPLACE\s*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)")
_THINK = re.compile(r"\s*<think(?:ing)?>")
_THINK_END = re.compile(r"</think(?:ing)?>")


class EditError(Exception):
    """The reply gives no new program; the message is the reason, worded for the model."""


@dataclass(frozen=True)
class Applied:
    source: str
    kind: Literal["edit", "rewrite"]


@dataclass(frozen=True)
class Block:
    """One SEARCH/REPLACE block: lines without their ends."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def apply_reply(parent_source: str, reply: str) -> str:
    """The child's source text.

    Raises:
        EditError: the reply holds no edit, an edit does not apply, the result is not Python, or it changes nothing.
    """
    return applied(parent_source, reply).source


def applied(parent_source: str, reply: str) -> Applied:
    """The same, with how the reply was meant. A reply with any SEARCH/REPLACE block is read as edits."""
    answer = without_thinking(reply.replace("\r\n", "\n"))
    blocks = parse_blocks(answer)
    result = (
        Applied(_edited(parent_source, blocks), "edit")
        if blocks
        else Applied(_rewritten(parent_source, answer), "rewrite")
    )
    if len(result.source) > MAX_SOURCE_CHARS:
        raise EditError(f"the edited file has {len(result.source)} characters; at most {MAX_SOURCE_CHARS} are allowed")
    if _bare(result.source) == _bare(parent_source):
        raise EditError("the reply changes nothing: the edited file equals the current policy")
    if problem := syntax_problem(result.source):
        raise EditError(f"the edited file is not valid Python: {problem}")
    return result


def without_thinking(reply: str) -> str:
    """The reply after its reasoning section; nothing when that section was cut off."""
    if _THINK.match(reply):
        end = _THINK_END.search(reply)
        return reply[end.end() :] if end else ""
    end = _THINK_END.search(reply)  # some chat templates open the section in the prompt
    return reply[end.end() :] if end else reply


def syntax_problem(source: str) -> str:
    """Why the text does not compile, in one line; empty when it does. Executes nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "policy.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def parse_blocks(answer: str) -> list[Block]:
    """All SEARCH/REPLACE blocks of a reply, in order.

    Raises:
        EditError: a block is not closed, or has no divider or several.
    """
    blocks: list[Block] = []
    opened: list[str] | None = None
    for line in answer.split("\n"):
        if _SEARCH.match(line):
            if opened is not None:
                raise EditError(_unclosed(len(blocks) + 1))
            opened = []
        elif opened is not None and _REPLACE.match(line):
            blocks.append(_block(opened, len(blocks) + 1))
            opened = None
        elif opened is not None:
            opened.append(line)
    if opened is not None:
        raise EditError(_unclosed(len(blocks) + 1))
    if len(blocks) > MAX_BLOCKS:
        raise EditError(
            f"{len(blocks)} SEARCH/REPLACE blocks; at most {MAX_BLOCKS} are allowed, or send the whole file"
        )
    return blocks


def _unclosed(number: int) -> str:
    return f"block {number} is not closed by `>>>>>>> REPLACE` (was the reply cut off?)"


def _block(lines: Sequence[str], number: int) -> Block:
    dividers = [i for i, line in enumerate(lines) if _DIVIDER.match(line)]
    if len(dividers) != 1:
        raise EditError(f"block {number} has {len(dividers)} `=======` lines; expected exactly one")
    search, replace = _unfenced(lines[: dividers[0]]), _unfenced(lines[dividers[0] + 1 :])
    if not any(line.strip() for line in search):
        raise EditError(f"block {number} has an empty SEARCH part; quote the lines that it replaces")
    return Block(search, replace)


def _unfenced(lines: Sequence[str]) -> tuple[str, ...]:
    """Without a code fence around all of it."""
    if len(lines) >= 2 and _fence(lines[0]) and _fence(lines[-1]):
        return tuple(lines[1:-1])
    return tuple(lines)


def _fence(line: str) -> re.Match[str] | None:
    """The mark and the language of a line that opens or closes a fence. Linear in the line, whatever it holds."""
    mark = _FENCE.match(line)
    return None if mark is None or "`" in line[mark.end() :] else mark


def _edited(parent: str, blocks: Iterable[Block]) -> str:
    source = parent
    for number, block in enumerate(blocks, 1):
        source = _replaced(source, block, number)
    regions = _regions(parent)
    if regions and not regions.same_outside(source):
        raise EditError(_OUTSIDE)
    return source


def _regions(parent: str) -> Regions | None:
    regions = Regions.of(parent)
    if regions is None and marked(parent):
        raise EditError("the EVOLVE-BLOCK-START/END markers of the current policy do not pair up")
    return regions


_OUTSIDE = "the reply changes lines outside of the EVOLVE-BLOCK-START/END markers, or the markers themselves"


def _replaced(source: str, block: Block, number: int) -> str:
    lines = source.split("\n")
    start = _located(lines, block.search, number)
    found = lines[start : start + len(block.search)]
    end = "\r" if found[0].endswith("\r") else ""
    replace = [line + end for line in redent(block.replace, block.search, found)]
    return "\n".join([*lines[:start], *replace, *lines[start + len(block.search) :]])


def _located(lines: Sequence[str], search: Sequence[str], number: int) -> int:
    """Where the SEARCH lines stand: exactly, else but for trailing blanks, else but for a uniform indentation."""
    width = len(search)
    likely = _alike(lines, search, number)
    for normal in (_exact, _trailing_blanks_cut, _dedented):
        wanted = normal(search)
        starts = [i for i in likely if normal(lines[i : i + width]) == wanted]
        starts = _evolvable(lines, starts, width) or starts
        if len(starts) > 1:
            places = ", ".join(str(start + 1) for start in starts[:5])
            raise EditError(
                f"the SEARCH part of block {number} matches {len(starts)} places (lines {places}): quote more"
            )
        if starts:
            return starts[0]
    raise EditError(f"the SEARCH part of block {number} is not in the current policy{_closest(lines, search)}")


def _alike(lines: Sequence[str], search: Sequence[str], number: int) -> list[int]:
    """Where lines stand that are equal but for blanks at their ends. Raises EditError for far too many places."""
    text, wanted = ("".join(f"\n{line.strip()}" for line in part) + "\n" for part in (lines, search))
    starts: list[int] = []
    line, seen = 0, 0
    place = text.find(wanted)
    while place >= 0:
        line, seen = line + text.count("\n", seen, place), place
        starts.append(line)
        if len(starts) * len(search) > _MAX_COMPARED:
            raise EditError(f"the SEARCH part of block {number} is too long and matches too many places: quote less")
        place = text.find(wanted, place + 1)
    return starts


def _evolvable(lines: Sequence[str], starts: Sequence[int], width: int) -> list[int]:
    """Those matches that lie inside an EVOLVE-BLOCK."""
    regions = Regions.of("\n".join(lines))
    if regions is None:
        return []
    return [start for start in starts if regions.contains(start, start + width)]


def _exact(lines: Sequence[str]) -> list[str]:
    return list(lines)


def _trailing_blanks_cut(lines: Sequence[str]) -> list[str]:
    return [line.rstrip() for line in lines]


def _dedented(lines: Sequence[str]) -> list[str]:
    cut = [line.rstrip() for line in lines]
    margin = min((len(line) - len(line.lstrip()) for line in cut if line), default=0)
    return [line[margin:] for line in cut]


def _closest(lines: Sequence[str], search: Sequence[str]) -> str:
    first = next(line.strip() for line in search if line.strip())[:200]
    close = difflib.get_close_matches(first, [line.strip()[:200] for line in lines], n=1, cutoff=0.6)
    if not close:
        return f": no line resembles `{first}`"
    if close[0] == first:
        return f": its first line `{first}` is, but not with the lines that follow"
    return f": `{first}` was not found; the closest line is `{close[0]}`"


def _rewritten(parent: str, answer: str) -> str:
    candidates, unclosed = fenced(answer)
    if not candidates and _defined(answer) & _defined(parent):
        candidates = [answer]  # a file without a fence
    if not candidates:
        raise EditError(
            "the fenced code block is not closed (was the reply cut off?)"
            if unclosed
            else "the reply holds neither a SEARCH/REPLACE block nor a Python file in a fenced block"
        )
    regions = _regions(parent)
    text = _most_complete(parent, candidates)
    try:
        whole = regions.filled(text) if regions else text.strip("\n") + "\n"
    except OutsideChanged as error:
        raise EditError(f"{_OUTSIDE}: {error}") from None
    _refuse_fragment(parent, whole)
    return whole


def fenced(answer: str) -> tuple[list[str], bool]:
    """The contents of all closed Python fences (or fences without a language), and whether one is left open."""
    found: list[str] = []
    lines: list[str] = []
    fence, wanted = "", False
    for line in answer.split("\n"):
        mark = _fence(line)
        if not fence and mark:
            fence, wanted, lines = mark[1], mark[2].lower() in ("", "python", "py", "python3"), []
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            if wanted and any(text.strip() for text in lines):
                found.append("\n".join(lines))
            fence = ""
        elif fence:
            lines.append(line)
    return found[-MAX_FENCES:], bool(fence)


def _most_complete(parent: str, candidates: Sequence[str]) -> str:
    """Of several fenced blocks the one that defines most of what the parent defines; the last of equals."""
    names = _defined(parent)
    return max(enumerate(candidates), key=lambda item: (len(names & _defined(item[1])), item[0]))[1]


def _refuse_fragment(parent: str, text: str) -> None:
    """A snippet in place of the whole file would lose the rest."""
    tree, ours = _tree(text), _defined(parent)
    if tree is None:
        return  # the syntax check words the reason
    if ours and not ours & _defined(text):
        raise EditError("the fenced block defines nothing of what the current policy defines; send the whole file")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)} | _bound(tree) | set(dir(builtins))
    lost = sorted((used - bound) & ours)
    if lost:
        raise EditError(
            f"the fenced block is a fragment: it uses `{lost[0]}`, which it does not define; "
            "send the whole file, or SEARCH/REPLACE blocks"
        )


def _bound(tree: ast.Module) -> set[str]:
    """Names that definitions, imports and parameters bind, at any depth."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.arg():
                names.add(node.arg)
            case ast.alias():
                names.add((node.asname or node.name).split(".")[0])
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
    return names


def _defined(source: str) -> set[str]:
    """Names bound at the top level of a text; empty when it does not parse."""
    tree = _tree(source)
    names: set[str] = set()
    for node in tree.body if tree else ():
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
            case ast.Assign():
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def _tree(source: str) -> ast.Module | None:
    if len(source) > MAX_SOURCE_CHARS or syntax_problem(source):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _bare(source: str) -> list[str]:
    return [line.rstrip() for line in source.strip().split("\n")]
