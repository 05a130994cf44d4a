"""The models that are served: their shapes, and what follows from them (weights, KV cache of a token)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adrs.errors import InputError

BYTES = 2  # of a weight and of a KV element: BF16


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder-only transformer in BF16 with gated feed-forward layers, dense or a mixture of experts.

    Args:
        source: Repository on Hugging Face whose config.json gives the shape.
        feed_forward: Intermediate size of the feed-forward layer, or of one expert.
        experts: Experts a layer; 0 if dense.
        top_k: Experts that a token passes through.
    """

    name: str
    source: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    experts: int = 0
    top_k: int = 0

    @property
    def kv_token_bytes(self) -> int:
        """KV cache of one token over all layers and all GPUs."""
        return 2 * self.layers * self.kv_heads * self.head_dim * BYTES

    @property
    def expert_bytes(self) -> int:
        """Weights of one expert of one layer."""
        return 3 * self.hidden * self.feed_forward * BYTES

    @property
    def attention_bytes(self) -> int:
        """Weights of the attention projections of one layer."""
        return (2 * self.heads + 2 * self.kv_heads) * self.head_dim * self.hidden * BYTES

    @property
    def layer_bytes(self) -> int:
        """Weights of one layer; norms and router are left out (below 0.1 %)."""
        return self.attention_bytes + max(self.experts, 1) * self.expert_bytes

    @property
    def head_bytes(self) -> int:
        """Weights of the output head; the embedding is as large."""
        return self.vocabulary * self.hidden * BYTES

    @property
    def weight_bytes(self) -> int:
        return self.layers * self.layer_bytes + 2 * self.head_bytes


_MODELS = (
    Model("Llama-3.1-8B", "meta-llama/Llama-3.1-8B", 32, 4096, 32, 8, 128, 14336, 128256),
    Model("Llama-3.1-70B", "meta-llama/Llama-3.1-70B", 80, 8192, 64, 8, 128, 28672, 128256),
    Model("Llama-2-70B", "meta-llama/Llama-2-70b-hf", 80, 8192, 64, 8, 128, 28672, 32000),
    Model("Qwen3-32B", "Qwen/Qwen3-32B", 64, 5120, 64, 8, 128, 25600, 151936),
    Model("Qwen3-30B-A3B", "Qwen/Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 768, 151936, experts=128, top_k=8),
    Model("Mixtral-8x7B", "mistralai/Mixtral-8x7B-v0.1", 32, 4096, 32, 8, 128, 14336, 32000, experts=8, top_k=2),
    Model("Mistral-7B", "mistralai/Mistral-7B-v0.1", 32, 4096, 32, 8, 128, 14336, 32000),
    Model("LLaMA-7B", "huggyllama/llama-7b", 32, 4096, 32, 32, 128, 11008, 32000),
)
MODELS = {model.name: model for model in _MODELS}


def find_model(name: str) -> Model:
    """The model of that name. Raises InputError if there is none."""
    if name not in MODELS:
        raise InputError(f"model {name!r}: unknown; use one of {', '.join(MODELS)}")
    return MODELS[name]


def recognise_model(repository: str) -> Model:
    """The model of a repository on Hugging Face or a variant of it, such as Qwen/Qwen3-32B-Instruct.

    Raises InputError if it is none of those known here.
    """
    name = repository.rsplit("/", 1)[-1].removeprefix("Meta-").lower()
    fitting = [model for model in _MODELS if name.startswith(model.name.lower())]
    return max(fitting, key=lambda model: len(model.name)) if fitting else find_model(repository)


def read_model(path: Path) -> Model:
    """A model by its config.json from Hugging Face. Raises InputError if that is not of a pure transformer."""
    try:
        config = json.loads(path.read_text())
        return _model(path.parent.name, config)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; expected the config.json of a model") from error
    except KeyError as error:
        raise InputError(f"{path}: no field {error}; expected the config.json of a decoder-only transformer") from error


def _model(name: str, config: Mapping[str, Any]) -> Model:
    heads, experts = config["num_attention_heads"], config.get("num_experts", config.get("num_local_experts", 0))
    return Model(
        name=name,
        source=name,
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads", heads),
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        feed_forward=config.get("moe_intermediate_size", config["intermediate_size"]),
        vocabulary=config["vocab_size"],
        experts=experts,
        top_k=config["num_experts_per_tok"] if experts else 0,
    )
