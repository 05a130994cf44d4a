"""Published shapes of mixture-of-experts models, and what their non-expert parts cost."""

from __future__ import annotations

from dataclasses import dataclass

from adrs.errors import InputError


@dataclass(frozen=True)
class ModelShape:
    """One model, as far as expert placement can feel it. Sizes are elements, not bytes, unless named so."""

    name: str
    layers: int  # MoE layers
    experts: int
    top_k: int
    groups: int  # expert groups of group-limited routing; 1 = none
    top_groups: int  # groups a token may use
    hidden: int
    intermediate: int  # of one routed expert
    shared_intermediate: int  # of all shared experts together; 0 = none
    weight_bytes: int  # per expert parameter: 1 = FP8, 2 = BF16
    attention_params: int  # per layer
    kv_bytes: int  # of KV cache per token and layer
    attention_width: int  # heads x (query/key + value head size), for the score FLOPs of prefill

    @property
    def expert_params(self) -> int:
        """Gate, up and down projections of a SwiGLU expert."""
        return 3 * self.hidden * self.intermediate

    @property
    def expert_bytes(self) -> int:
        return self.expert_params * self.weight_bytes

    @property
    def expert_flops(self) -> int:
        """Per token: one multiply and one add a parameter."""
        return 2 * self.expert_params

    @property
    def dispatch_bytes(self) -> int:
        """Of one token sent to an expert: FP8 models dispatch in FP8 (DeepSeek-V3 report, section 3.4)."""
        return self.hidden * self.weight_bytes

    @property
    def combine_bytes(self) -> int:
        """Of one expert output sent back, always BF16."""
        return self.hidden * 2


# Figures: the models' config.json on Hugging Face (num_hidden_layers less the dense first ones, n_routed_experts,
# num_experts_per_tok, n_group, topk_group, hidden_size, moe_intermediate_size, ...). DeepSeek-V3: 61 layers, the first
# 3 dense; multi-head latent attention (q_lora 1536, kv_lora 512, rope 64, 128 heads of 128+64 / 128).
_SHAPES = (
    ModelShape("deepseek-v3", 58, 256, 8, 8, 4, 7168, 2048, 2048, 1, 187_107_328, 1152, 128 * 320),
    ModelShape("qwen3-30b-a3b", 48, 128, 8, 1, 1, 2048, 768, 0, 2, 18_874_368, 2048, 32 * 256),
    ModelShape("qwen3-235b-a22b", 94, 128, 8, 1, 1, 4096, 1536, 0, 2, 71_303_168, 2048, 64 * 256),
    ModelShape("mixtral-8x7b", 32, 8, 2, 1, 1, 4096, 14336, 0, 2, 41_943_040, 4096, 32 * 256),
    ModelShape("deepseek-v2-lite", 26, 64, 6, 1, 1, 2048, 1408, 2816, 2, 13_763_072, 1152, 16 * 320),
)
SHAPES = {shape.name: shape for shape in _SHAPES}


def shape(name: str) -> ModelShape:
    """Look a model up. Raises InputError for a name that is not in the table."""
    if name not in SHAPES:
        raise InputError(f"options: unknown model {name!r}; expected one of {', '.join(SHAPES)}")
    return SHAPES[name]
