"""From `--proposer` to a proposer, and back from what a run's archive stored of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from adrs.archive.locate import archive_file
from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError
from adrs.problem import Budget
from adrs.proposers.base import Proposer
from adrs.proposers.llm import LlmConfig, LlmProposer, require_price

OFFLINE_LAG = 4


def describe_proposer(kind: str, model: str | None, base_url: str | None) -> dict[str, Any]:
    """What the archive keeps of the proposer asked for: JSON, without any key.

    `auto` means `openai` when a model is named (by option or in `ADRS_MODEL`), else `offline`.

    Raises:
        InputError: an unknown kind, a missing file, no model, or an LLM named for a proposer that asks none.
    """
    if kind == "auto":
        kind = "openai" if model or os.environ.get("ADRS_MODEL") else "offline"
    if kind == "openai":
        return {"kind": "openai", "config": asdict(LlmConfig.from_environment(model, base_url))}
    name, colon, recording = kind.partition(":")
    if (name, colon) not in (("offline", ""), ("replay", ":")):
        raise InputError(f"--proposer {kind}: unknown; expected auto, offline, openai or replay:FILE")
    if model or base_url:
        given = "--model" if model else "--base-url"
        raise InputError(f"{given}: {name} asks no LLM; give --proposer openai and name a model")
    if name == "offline":
        return {"kind": "offline"}
    file = archive_file(Path(recording)).resolve()
    ArchiveReader.read(file).close()
    return {"kind": "replay", "file": str(file)}


def build_proposer(spec: Mapping[str, Any], budget: Budget, lag: int | None, workers: int) -> Proposer:
    """`lag` overrides the proposer's own. A replay has no proposer to ask: its slots come prepared.

    Raises:
        InputError: the budget names dollars, and the model's price is unknown.
    """
    if spec["kind"] == "openai":
        config = LlmConfig(**spec["config"])
        if budget.usd is not None:
            require_price(config)
        return LlmProposer(config if lag is None else replace(config, concurrency=lag))
    from adrs.proposers.offline import OfflineProposer

    return OfflineProposer(workers=workers, lag=OFFLINE_LAG if lag is None else lag)
