"""NomicBERT: BERT's post-norm blocks with rotary positions and a gate.

Checkpoints were published with names of their own; transformers has others since it
knows the family. Both are read.

Source: Nussbaum et al. 2024 (arXiv:2402.01613).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.fields import Count, Positive, Width
from stelae.nn.heads.masked_lm import MaskedLmHead
from stelae.nn.layers.linear import Activation, GatedLinear, Linear
from stelae.nn.postnorm import UNUSED, classifier_names, masked_lm_names
from stelae.nn.rotary_postnorm import NAMES, QKV, RotaryConfig, RotaryEncoder, RotaryLayer
from stelae.nn.weights import WeightMap

OLD_NAMES = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "max_trained_positions": "max_position_embeddings",
    "layer_norm_epsilon": "layer_norm_eps",
    "rotary_emb_base": "rope_theta",
}
"""Options as published, and what they are called now."""

PUBLISHED: dict[str, Activation] = {"swiglu": "silu", "geglu": "gelu", "gelu": "gelu"}
"""Activations as published; the last comes without a gate."""


class NomicConfig(RotaryConfig, kw_only=True):
    """Published options stand beside those of transformers."""

    max_position_embeddings: Count = 2048
    hidden_act: str = "silu"
    activation_function: str | None = None
    head_dim: Width | None = None
    rope_theta: Positive = 1000.0
    rotary_scaling_factor: float | None = None
    rotary_emb_fraction: float = 1.0
    rotary_emb_interleaved: bool = False
    rotary_emb_scale_base: float | None = None
    qkv_proj_bias: bool = False
    mlp_fc1_bias: bool | None = None
    mlp_fc2_bias: bool = False
    prenorm: bool = False
    parallel_block: bool = False
    use_rms_norm: bool = False
    causal: bool = False
    num_experts: int | None = None

    @property
    def activation(self) -> Activation:
        """Of the feed-forward blocks."""
        name = self.activation_function
        if name is None:
            return activation_of(self.hidden_act)
        require(name in PUBLISHED, "activation_function", name, ", ".join(PUBLISHED))
        return PUBLISHED[name]

    @property
    def gated(self) -> bool:
        """Whether the feed-forward blocks have a gate."""
        return self.activation_function != "gelu"

    @property
    def head(self) -> int:
        """Numbers per head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def turned(self) -> int:
        """Numbers of each head that are turned."""
        return int(self.head * self.rotary_emb_fraction)

    @property
    def interleaved(self) -> bool:
        """Whether neighbouring numbers are turned together."""
        return self.rotary_emb_interleaved

    def scaling(self) -> Mapping[str, Any] | None:
        """A published factor means angles that depend on the length of a text."""
        factor = self.rotary_scaling_factor
        return {"rope_type": "dynamic", "factor": factor} if factor else self.rope_scaling

    def check(self) -> None:
        """Refuse what is not implemented."""
        for option in ("prenorm", "parallel_block", "use_rms_norm", "causal"):
            require(not getattr(self, option), option, getattr(self, option), "false")
        for option in ("num_experts", "rotary_emb_scale_base"):
            require(not getattr(self, option), option, getattr(self, option), "null")


class NomicLayer(RotaryLayer):
    """Heads of any width; every bias is optional."""

    def __init__(self, config: NomicConfig) -> None:
        width, heads, inner = (
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
        )
        activation, first = config.activation, bool(config.mlp_fc1_bias)
        super().__init__(width, heads, inner, activation, config.layer_norm_eps)
        mixed, bias = heads * config.head, config.qkv_proj_bias
        self.qkv = Linear(width, 3 * mixed, bias=bias)
        self.out = Linear(mixed, width, bias=bias)
        if config.gated:
            self.up = GatedLinear(width, inner, activation, bias=first)
        else:
            self.up = Linear(width, inner, bias=first, activation=activation)
        self.down = Linear(inner, width, bias=config.mlp_fc2_bias)


@architecture(
    "NomicBertModel",
    "NomicBertForMaskedLM",
    "NomicBertForPreTraining",
    "NomicBertForSequenceClassification",
)
class NomicBert(RotaryEncoder):
    """Bidirectional encoder without a table of positions."""

    Config: ClassVar = NomicConfig
    config: NomicConfig
    weights = WeightMap(
        prefixes=("bert.", "nomic_bert."),
        rename={
            **NAMES,
            r"mlp\.(fc11|up_proj)\.": "mlp.up.",
            r"mlp\.(fc12|gate_proj)\.": "mlp.gate.",
        },
        fuse={**QKV, "up": ("mlp.gate", "mlp.up")},
        ignore=(*UNUSED, r"cls\..*", r".*inv_freq"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^cls\.predictions\.transform\.dense\.",
        norm=r"^cls\.predictions\.transform\.layer_norm\.",
        decoder=r"^cls\.predictions\.decoder\.",
        bias=r"^cls\.predictions\.bias$",
    )
    classifier_weights = classifier_names(r"^((nomic_)?bert\.)?pooler\.dense\.", r"^classifier\.")

    @classmethod
    def options(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Options under their newer names, which count where both are there."""
        renamed = {OLD_NAMES.get(name, name): value for name, value in config.items()}
        return renamed | {name: config[name] for name in config if name in OLD_NAMES.values()}

    def __init__(self, config: NomicConfig) -> None:
        config.check()
        super().__init__(config)

    def block(self) -> NomicLayer:
        """One block."""
        return NomicLayer(self.config)

    def united(self) -> None:
        """Layer by layer: as one, class logits in bfloat16 can miss what parity allows.

        Of one text of a tiny random model other roundings, on average no larger, are carried so
        far that the cosine with the reference is 0.9989.
        """

    def masked_lm(self) -> MaskedLmHead:
        """The head for masked words; as published, its biases go with ``mlp_fc1_bias``."""
        config = self.config
        bias = config.mlp_fc1_bias is not False
        return MaskedLmHead(
            self.width,
            config.vocab_size,
            eps=config.layer_norm_eps,
            activation=config.activation,
            hidden_bias=bias,
            bias=bias,
        )
