"""M-CLIP: a multilingual encoder whose mean vector is mapped onto the texts of a CLIP.

The checkpoint names its encoder by hub id and does not repeat the sizes, so they are
written down here.

Source: Carlsson et al. 2022, https://github.com/FreddeFrallan/Multilingual-CLIP
(``pt_multilingual_clip.py``).
"""

from __future__ import annotations

from stelae.catalog.files import Json
from stelae.catalog.operations import Pool, Pooling
from stelae.catalog.options import need
from stelae.catalog.towers import Home, Towers
from stelae.errors import UnsupportedCheckpoint

XLM_ROBERTA: Json = {
    "model_type": "xlm-roberta",
    "vocab_size": 250002,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
    "pad_token_id": 1,
}
LABSE: Json = {
    "model_type": "bert",
    "vocab_size": 501153,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}
ENCODERS: dict[str, tuple[str, Json]] = {
    "xlm-roberta-large": ("XLMRobertaModel", XLM_ROBERTA),
    "sentence-transformers/LaBSE": ("BertModel", LABSE),
}
"""Encoders by the hub id in ``modelBase``."""


def read_mclip(home: Home) -> Towers:
    """``MultilingualCLIP``; sizes in ``config.json`` count before those of the encoder.

    Raises:
        UnsupportedCheckpoint: Its encoder is not known here.
        ModelLoadFailed: The weights lack the mapping.
    """
    base = need(home.config, "modelBase", str, f"config.json in {home.root}")
    if base not in ENCODERS:
        raise UnsupportedCheckpoint(
            f"config.json in {home.root} names the encoder modelBase={base!r}, which is not "
            f"implemented; known are {', '.join(ENCODERS)}"
        )
    home.tensors.check_all_known(("transformer.", "LinearTransformation."))
    architecture, sizes = ENCODERS[base]
    given = {key: value for key, value in home.config.items() if key in sizes}
    config = sizes | given | {"model_type": sizes["model_type"]}
    mapping = home.tensors.dense("LinearTransformation.weight", bias="LinearTransformation.bias")
    return Towers(
        text=home.backbone(architecture, config, "transformer."),
        text_steps=(Pool(modes=(Pooling.MEAN,)), mapping),
    )
