"""ColBERT as Stanford's own code saves it: a projection beside the transformer's tensors.

Source: sentence-transformers 6.0.1, ``multi_vector_encoder/model.py``, which reads such
folders; Santhanam et al. 2021 (ColBERTv2, arXiv:2112.01488); Jha et al. 2024
(Jina-ColBERT-v2, arXiv:2408.16672).
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.backbone import positions, read_backbone
from stelae.catalog.files import Json, read_object
from stelae.catalog.found import Found
from stelae.catalog.late import QUERY_LENGTH, Lengths, marked
from stelae.catalog.operations import Dense, Normalize
from stelae.catalog.options import need, positive, require, take
from stelae.catalog.reading import Expansion, read_reading
from stelae.catalog.settings import Kind, Settings
from stelae.catalog.spec import Backbone, Chain
from stelae.catalog.steps import Mask
from stelae.catalog.tensors import Tensors
from stelae.catalog.vocabulary import Vocabulary
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import OutputType, Role

ARCHITECTURE = "HF_ColBERT"
METADATA = "artifact.metadata"
PROJECTION = "linear.weight"

TRUNKS = {
    "albert": "AlbertModel", "bert": "BertModel", "camembert": "CamembertModel",
    "deberta-v2": "DebertaV2Model", "distilbert": "DistilBertModel",
    "electra": "ElectraModel", "modernbert": "ModernBertModel", "mpnet": "MPNetModel",
    "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel",
}  # fmt: skip
"""The transformer of each model type; ``architectures`` names the whole instead."""

ANGLES = {"xlm-roberta": "JinaEmbeddingsV3Model"}
"""The same where positions are angles, as in Jina ColBERT 2."""

FIXED: dict[str, tuple[Any, ...]] = {
    "load_trained_adapters": (False, None), "lora_adaptations": (None, []),
    "truncate_dim": (None,),
}  # fmt: skip
"""Options of Jina's own code, of which only these values are implemented."""

MARKERS = {
    Role.QUERY: ("query_token_id", "[unused0]"),
    Role.DOCUMENT: ("doc_token_id", "[unused1]"),
}
"""Options that name the token before a text, and the token if they do not."""


def is_stanford(config: Json) -> bool:
    """Whether ``config.json`` is of such a folder."""
    names = config.get("architectures")
    return isinstance(names, list) and ARCHITECTURE in names


def read_stanford(root: Path) -> Found:
    """The model in such a folder.

    Raises:
        UnsupportedCheckpoint: A part of it is not implemented.
        ModelLoadFailed: A file is missing or broken, or contradicts another.
    """
    backbone = read_backbone(root, "")
    reading, _ = read_reading(root, backbone)
    trunk, dense = _parts(root, backbone)
    facts, file = read_object(root, METADATA) or {}, f"{METADATA} in {root}"
    require(facts, {"similarity": ("cosine",), "dim": (dense.outputs,)}, file)
    expansion = Expansion(
        length=positive(facts, "query_maxlen", file) or QUERY_LENGTH,
        attend=take(facts, "attend_to_mask_tokens", bool, file, False) is True,
    )
    punctuation = take(facts, "mask_punctuation", bool, file, True) is not False
    late = marked(
        Vocabulary(root, reading.tokenizer),
        Lengths(None, positive(facts, "doc_maxlen", file), expansion),
        Mask(ARCHITECTURE, tuple(string.punctuation) if punctuation else ()),
        {
            role: f"{take(facts, key, str, file) or token} "
            for role, (key, token) in MARKERS.items()
        },
        limit=reading.limit,
        table=positions(backbone.config),
        side=reading.side,
    )
    return Found(
        trunk=trunk,
        reading=reading,
        settings=Settings(kind=Kind.LATE),
        chains=(Chain(output=OutputType.MULTIVECTOR, steps=(dense, Normalize(), late)),),
        token_width=dense.outputs,
        limit=max(late.query.max_tokens, late.document.max_tokens),
    )


def _parts(root: Path, backbone: Backbone) -> tuple[Backbone, Dense]:
    """The transformer, and the projection that lies among its tensors."""
    architecture, config = _transformer(backbone.config, f"config.json in {root}")
    tensors = Tensors(root, "", backbone.weights)
    dense = tensors.dense(PROJECTION)
    prefixes = {name.partition(".")[0] for name in tensors.heads if name != PROJECTION}
    if len(prefixes) != 1 or f"{PROJECTION.partition('.')[0]}" in prefixes:
        raise ModelLoadFailed(
            f"the weights in {root} hold tensors of {', '.join(sorted(prefixes)) or 'nothing'}; "
            f"those of one transformer beside {PROJECTION} were expected"
        )
    trunk = msgspec.structs.replace(
        backbone, architecture=architecture, config=config, prefix=f"{prefixes.pop()}."
    )
    return trunk, dense


def _transformer(config: Json, file: str) -> tuple[str, Json]:
    """The transformer's class, and its options as that class names them."""
    kind, positions = str(config.get("model_type")), config.get("position_embedding_type")
    turned = positions == "rotary"
    known = ANGLES if turned else TRUNKS
    if kind not in known:
        which = f" and position_embedding_type={positions!r}" if turned else ""
        raise UnsupportedCheckpoint(
            f"{file} has the model_type {kind!r}{which}, of which no {ARCHITECTURE} is "
            f"implemented; known are {', '.join(known)}"
        )
    return known[kind], _as_angles(config, file) if turned else config


def _as_angles(config: Json, file: str) -> Json:
    require(config, FIXED, file)
    base = need(config, "rotary_emb_base", float, file)
    return config | {"position_embedding_type": "rope", "rope_theta": base}
