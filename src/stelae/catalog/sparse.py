"""Modules that weigh terms.

Source: sentence-transformers 6.0.1, ``sparse_encoder/modules``.
"""

from __future__ import annotations

from stelae.catalog.files import inside
from stelae.catalog.module_weights import check_tensors, single_file
from stelae.catalog.operations import SparsePool, StaticTerms, Terms, TopTerms
from stelae.catalog.options import need, positive, refuse_unknown, require, take
from stelae.catalog.place import Place
from stelae.catalog.reading import Reading
from stelae.catalog.steps import Stage, Start, Step
from stelae.catalog.tokenizer import read_tokenizer_file
from stelae.catalog.vocabulary import Vocabulary
from stelae.catalog.weights import read_header
from stelae.errors import ModelLoadFailed

SPLADE_KEYS = {
    "pooling_strategy", "activation_function", "embedding_dimension", "word_embedding_dimension",
    "chunk_size",
}  # fmt: skip

FEATURES = ("encoder.weight", "decoder.linear.weight")

ENCODER_KEYS = {"input_dim", "hidden_dim", "k", "k_aux", "normalize", "dead_threshold"}


def read_splade(place: Place) -> Step:
    """SPLADE's pooling of logits.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("pooling"), place.label("config.json")
    refuse_unknown(config, SPLADE_KEYS, file)
    known = {
        "pooling_strategy": [kind.value for kind in Terms],
        "activation_function": ("relu", "log1p_relu"),
    }
    require(config, known, file)
    pool = SparsePool(
        pooling=Terms(config.get("pooling_strategy", "max")),
        activation=config.get("activation_function", "relu"),
    )
    return Step(place.kind, pool, Stage.LOGITS, Stage.TERMS)


def read_static_terms(place: Place) -> Start:
    """A fixed weight for each term.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken, or there are fewer weights than
            tokens.
    """
    config, file = place.config("weights"), place.label("config.json")
    refuse_unknown(config, {"frozen"}, file)
    tokenizer, limit = read_tokenizer_file(place.root, place.folder)
    weights = single_file(place)
    heads = read_header(inside(place.root, place.path(weights)))
    size = heads["weight"].shape[0] if "weight" in heads and heads["weight"].shape else 0
    check_tensors(place, weights, {"weight": (size,)})
    tokens = Vocabulary(place.root, tokenizer).size
    if size < tokens:
        raise ModelLoadFailed(
            f"{place.label(weights)} holds the weights of {size} terms, the tokenizer beside it "
            f"knows {tokens}"
        )
    return Start(
        kind=place.kind,
        trunk=None,
        modules=(StaticTerms(weights=place.path(weights)),),
        gives=Stage.TERMS,
        reading=Reading(tokenizer=tokenizer, folder=place.folder, limit=limit),
    )


def read_top_terms(place: Place) -> Step:
    """The sparse autoencoder on a dense vector, its weights' shapes checked.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken, or a shape is wrong.
    """
    config, file = place.config("sizes"), place.label("config.json")
    refuse_unknown(config, ENCODER_KEYS, file)
    need(config, "input_dim", int, file)
    inputs, outputs = positive(config, "input_dim", file), positive(config, "hidden_dim", file)
    weights = single_file(place)
    terms = TopTerms(
        folder=place.folder,
        inputs=inputs or 0,
        outputs=outputs or 512,
        keep=positive(config, "k", file) or 8,
        standardize=take(config, "normalize", bool, file, False) is True,
        weights=weights,
        name=_features(place, weights),
    )
    if terms.keep > terms.outputs:
        raise ModelLoadFailed(f"{file} keeps k={terms.keep} of {terms.outputs} features")
    shapes = {
        "pre_bias": (terms.inputs,),
        "latent_bias": (terms.outputs,),
        terms.name: (terms.outputs, terms.inputs),
    }
    unused = frozenset({"stats_last_nonzero", *FEATURES})
    check_tensors(place, terms.weights, shapes, unused)
    return Step(place.kind, terms, Stage.VECTOR, Stage.TERMS)


def _features(place: Place, file: str) -> str:
    """The name of a tensor that the library knows by two, and safetensors keeps under one."""
    heads = read_header(inside(place.root, place.path(file)))
    return next((name for name in FEATURES if name in heads), FEATURES[0])
