"""What ``config_sentence_transformers.json`` says of a model as a whole.

Source: sentence-transformers 6.0.1, ``base/model.py`` and the ``model.py`` of its four
kinds of model; PyLate 1.x, whose options the library reads too.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from stelae.catalog.files import Json, read_object
from stelae.catalog.options import positive, refuse_unknown, require, take
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Similarity

NAME = "config_sentence_transformers.json"


class Kind(StrEnum):
    """What the library makes of a model."""

    DENSE = "SentenceTransformer"
    SPARSE = "SparseEncoder"
    LATE = "MultiVectorEncoder"
    PAIRS = "CrossEncoder"


PYLATE = "ColBERT"
"""``model_type`` that PyLate writes."""

COMMON = {
    "__version__", "prompts", "default_prompt_name", "similarity_fn_name", "model_type",
    "requirements",
}  # fmt: skip

MARKERS = {
    "query_prefix", "document_prefix", "query_length", "document_length", "query_expansion",
    "do_query_expansion", "attend_to_expansion_tokens", "attend_to_mask_tokens",
    "skiplist_words",
}  # fmt: skip
"""Options of PyLate."""

OWN = {
    Kind.DENSE: {"truncate_dim"},
    Kind.SPARSE: set(),
    Kind.LATE: MARKERS,
    Kind.PAIRS: {"activation_fn"},
}
"""Options of one kind of model only."""

LATE_SIMILARITIES = {
    None: False, "maxsim": False, "MaxSim": False, "cosine": False, "dot": False,
    "meanmaxsim": True,
}  # fmt: skip
"""Whether the mean is meant. Of late interaction the library takes no other names for real."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content.

    Attributes:
        kind: What the library makes of the model.
        prompts: Prompts by name.
        default: The prompt used when none is asked for.
        similarity: The comparison that the vectors are meant for.
        cut_to: Width that vectors are cut to.
        activation: Class of the function on scores.
        mean: Whether late interaction takes the mean of the best matches.
        pylate: PyLate's options.
        implied: Whether the last modules are left out of ``modules.json``, as PyLate
            does.
    """

    kind: Kind = Kind.DENSE
    prompts: dict[str, str] = {}
    default: str | None = None
    similarity: Similarity | None = None
    cut_to: int | None = None
    activation: str | None = None
    mean: bool = False
    pylate: Json = {}
    implied: bool = False


def read_settings(root: Path) -> Settings:
    """The settings of a checkpoint; those of a dense model if it has no such file.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is broken, or its default prompt does not exist.
    """
    config = read_object(root, NAME) or {}
    file = f"{NAME} in {root}"
    kind, implied = _kind(config, file)
    refuse_unknown(config, COMMON | OWN[kind], file)
    prompts = _texts(take(config, "prompts", dict, file, {}) or {}, file)
    default = take(config, "default_prompt_name", str, file)
    if default is not None and default not in prompts:
        raise ModelLoadFailed(
            f"{file} sets default_prompt_name={default!r}; its prompts are {sorted(prompts)}"
        )
    name = take(config, "similarity_fn_name", str, file)
    return Settings(
        kind=kind,
        prompts=prompts,
        default=default,
        similarity=None if kind is Kind.LATE else _similarity(kind, name, file),
        cut_to=positive(config, "truncate_dim", file),
        activation=take(config, "activation_fn", str, file),
        mean=kind is Kind.LATE and _mean(name, file),
        pylate={key: value for key, value in config.items() if key in MARKERS},
        implied=implied,
    )


def _kind(config: Json, file: str) -> tuple[Kind, bool]:
    """The kind, and whether PyLate wrote it without its last modules."""
    stated = take(config, "model_type", str, file)
    if stated is None:
        marked = "query_prefix" in config or "document_prefix" in config
        return (Kind.LATE, True) if marked else (Kind.DENSE, False)
    require(config, {"model_type": [*(kind.value for kind in Kind), PYLATE]}, file)
    return (Kind.LATE, True) if stated == PYLATE else (Kind(stated), False)


def _texts(prompts: Json, file: str) -> dict[str, str]:
    for name, text in prompts.items():
        if text is not None and not isinstance(text, str):
            raise ModelLoadFailed(f"{file} has the prompt {name!r}={text!r}; a text was expected")
    return {name: text or "" for name, text in prompts.items()}


def _similarity(kind: Kind, name: str | None, file: str) -> Similarity | None:
    if name is None:
        return Similarity.DOT if kind is Kind.SPARSE else None
    known = {Similarity.DOT} if kind is Kind.SPARSE else set(Similarity)
    if name not in known:
        raise UnsupportedCheckpoint(
            f"{file} sets similarity_fn_name={name!r}, which is not implemented; "
            f"known are {', '.join(sorted(known))}"
        )
    return Similarity(name)


def _mean(name: str | None, file: str) -> bool:
    if name not in LATE_SIMILARITIES:
        raise UnsupportedCheckpoint(
            f"{file} sets similarity_fn_name={name!r}, which is not implemented; known are "
            "maxsim, meanmaxsim"
        )
    return LATE_SIMILARITIES[name]
