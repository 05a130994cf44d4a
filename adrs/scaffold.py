"""`adrs init NAME`: a working problem with its evaluator, to be changed into one's own."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from adrs.errors import InputError

TEMPLATE = Path(__file__).parent / "scaffold_template"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def init_problem(name: str, directory: str | Path = ".") -> list[Path]:
    """Write NAME.yaml and the folder NAME beside it; returns the files written, the YAML first.

    Raises:
        InputError: the name is unfit, the directory is none or cannot be written, or one of the two exists.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"init {name}: expected a name of at most 40 lower-case letters, digits and `_`, a letter first"
        )
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"init {name}: {directory} is no folder; create it, or name another")
    for existing in (directory / f"{name}.yaml", directory / name):
        if existing.exists() or existing.is_symlink():
            raise InputError(
                f"init {name}: {existing} exists and is left as it is; choose another name, or move it away"
            )
    try:
        return _write(name, directory)
    except OSError as error:
        raise InputError(f"init {name}: cannot write in {directory}: {error.strerror}") from None


def _write(name: str, directory: Path) -> list[Path]:
    (directory / name).mkdir()
    written = []
    for template in sorted(TEMPLATE.iterdir(), key=lambda path: (path.suffix != ".yaml", path.name)):
        if not template.is_file():  # bytecode
            continue
        is_problem = template.suffix == ".yaml"
        target = directory / f"{name}.yaml" if is_problem else directory / name / template.name
        text = template.read_text(encoding="utf-8")
        target.write_text(Template(text).substitute(name=name) if is_problem else text, encoding="utf-8")
        written.append(target)
    return written
