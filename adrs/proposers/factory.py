"""From `--proposer` to a proposer, and back from what a run's archive stored of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adrs.archive.locate import archive_file
from adrs.errors import InputError
from adrs.proposers.base import Proposer

MODEL = "ADRS_MODEL"


def describe_proposer(kind: str, model: str | None, base_url: str | None) -> dict[str, Any]:
    """What the archive keeps of the proposer asked for: JSON, without any key.

    `auto` means `openai` when a model is named (by option or in `ADRS_MODEL`), else `offline`.

    Raises:
        InputError: an unknown kind, a missing file, or no model.
    """
    model = model or os.environ.get(MODEL) or None
    if kind == "auto":
        kind = "openai" if model else "offline"
    if kind == "offline":
        return {"kind": "offline"}
    if kind == "openai":
        if model is None:
            raise InputError(f"--proposer openai: no model; name one with --model or {MODEL}")
        return {"kind": "openai", "model": model, "base_url": base_url or os.environ.get("OPENAI_BASE_URL")}
    if kind.startswith("replay:"):
        return {"kind": "replay", "file": str(archive_file(Path(kind.removeprefix("replay:"))).resolve())}
    raise InputError(f"--proposer {kind}: unknown; expected offline, openai or replay:FILE")


def build_proposer(spec: Mapping[str, Any], lag: int | None, workers: int) -> Proposer:
    """`lag` overrides the proposer's own. A replay has no proposer of its own: its slots come prepared."""
    match spec["kind"]:
        case "openai":
            from adrs.proposers.llm import LlmConfig, LlmProposer

            config = LlmConfig(model=spec["model"], base_url=spec["base_url"])
            return LlmProposer(config if lag is None else config.with_concurrency(lag))
        case _:
            from adrs.proposers.offline import OfflineProposer

            return OfflineProposer(workers=workers, lag=4 if lag is None else lag)
