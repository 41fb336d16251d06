"""The folders of the modules between token vectors and a dense vector.

Source: sentence-transformers 6.0.1, ``sentence_transformer/modules/pooling.py``,
``weighted_layer_pooling.py``, ``layer_norm.py``, ``base/modules/dense.py``,
``normalize.py``.
"""

from __future__ import annotations

from stelae.catalog.files import Json, exists
from stelae.catalog.module_weights import check_tensors, single_file
from stelae.catalog.operations import Dense, LayerNorm, LayerPool, Normalize, Pool, Pooling
from stelae.catalog.options import need, positive, refuse_unknown, require, take
from stelae.catalog.place import Place
from stelae.catalog.steps import Stage, Step
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

MODES = {
    "cls": Pooling.CLS,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
    "mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "weightedmean": Pooling.WEIGHTED_MEAN,
    "lasttoken": Pooling.LAST_TOKEN,
}

FLAGS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST_TOKEN,
}
"""The older form, one flag per mode; the order is that of the concatenated vector."""

POOL_KEYS = {
    "word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt", *FLAGS,
}  # fmt: skip

ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": "Identity",
    "torch.nn.modules.activation.Tanh": "Tanh",
    "torch.nn.modules.activation.ReLU": "ReLU",
    "torch.nn.modules.activation.GELU": "GELU",
    "torch.nn.modules.activation.SiLU": "SiLU",
    "torch.nn.modules.activation.Sigmoid": "Sigmoid",
}
SHORT = {f"torch.nn.{path.rpartition('.')[2]}": name for path, name in ACTIVATIONS.items()}

DENSE_KEYS = {
    "in_features", "out_features", "bias", "activation_function",
    "module_input_name", "module_output_name", "use_residual",
}  # fmt: skip

STAGES = {"token_embeddings": Stage.TOKENS, "sentence_embedding": Stage.VECTOR}
"""Entries of the library's dictionary that a module can read."""

SCORES = "scores"
"""The entry that models for pairs end with."""

NORM_EPS = 1e-5
"""What the library's layer normalisation adds to the variance."""


def read_pool(place: Place) -> Step:
    """The pooling in a folder of the checkpoint.

    Raises:
        UnsupportedCheckpoint: A mode or an option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("pooling"), place.label("config.json")
    refuse_unknown(config, POOL_KEYS, file)
    pool = Pool(
        modes=_modes(config, file),
        include_prompt=take(config, "include_prompt", bool, file, True) is not False,
        width=_stated_width(config, file) or 0,
    )
    return Step(place.kind, pool, Stage.TOKENS, Stage.VECTOR)


def _stated_width(config: Json, file: str) -> int | None:
    return positive(config, "word_embedding_dimension", file) or positive(
        config, "embedding_dimension", file
    )


def _modes(config: Json, file: str) -> tuple[Pooling, ...]:
    stated = config.get("pooling_mode")
    if stated is None:
        on = tuple(mode for flag, mode in FLAGS.items() if take(config, flag, bool, file))
        return on or (Pooling.MEAN,)
    names = [stated] if isinstance(stated, str) else stated
    if not isinstance(names, list) or not names:
        raise ModelLoadFailed(f"{file} sets pooling_mode={stated!r}; names of modes were expected")
    for name in names:
        if not isinstance(name, str) or name not in MODES:
            raise UnsupportedCheckpoint(
                f"{file} sets pooling_mode={name!r}, which is not implemented; "
                f"known are {', '.join(MODES)}"
            )
    return tuple(MODES[name] for name in names)


def read_layer_pool(place: Place) -> Step:
    """The weighted mean over layers, its weights' shape checked.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken, or a shape is wrong.
    """
    config, file = place.config("choice of layers"), place.label("config.json")
    known = {"word_embedding_dimension", "embedding_dimension", "layer_start", "num_hidden_layers"}
    refuse_unknown(config, known, file)
    first = take(config, "layer_start", int, file, 4)
    pool = LayerPool(
        folder=place.folder,
        first=4 if first is None else first,
        layers=positive(config, "num_hidden_layers", file) or 12,
        width=_stated_width(config, file) or 0,
        weights=single_file(place),
    )
    if not 0 <= pool.first <= pool.layers:
        raise ModelLoadFailed(
            f"{file} sets layer_start={pool.first}; of {pool.layers} layers it can be "
            f"0..{pool.layers}"
        )
    check_tensors(place, pool.weights, {"layer_weights": (pool.layers + 1 - pool.first,)})
    return Step(place.kind, pool, Stage.TOKENS, Stage.TOKENS)


def read_layer_norm(place: Place) -> Step:
    """The layer normalisation of a vector, its weights' shapes checked.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken, or a shape is wrong.
    """
    config, file = place.config("width"), place.label("config.json")
    refuse_unknown(config, {"dimension"}, file)
    width = _width(config, "dimension", file)
    norm = LayerNorm(folder=place.folder, width=width, eps=NORM_EPS, weights=single_file(place))
    check_tensors(place, norm.weights, {"norm.weight": (width,), "norm.bias": (width,)})
    return Step(place.kind, norm, Stage.VECTOR, Stage.VECTOR)


def read_dense(place: Place) -> Step:
    """The dense layer in a folder of the checkpoint, its weights' shapes checked.

    Raises:
        UnsupportedCheckpoint: The activation or an option is not implemented.
        ModelLoadFailed: A file is missing or broken, or a shape is wrong.
    """
    config, file = place.config("dense layer"), place.label("config.json")
    refuse_unknown(config, DENSE_KEYS, file)
    reads, gives = _ends(config, file, "token_embeddings" if place.late else "sentence_embedding")
    inputs, outputs = (_width(config, key, file) for key in ("in_features", "out_features"))
    dense = Dense(
        folder=place.folder,
        inputs=inputs,
        outputs=outputs,
        bias=take(config, "bias", bool, file, True) is not False,
        activation=_activation(config, file),
        residual=take(config, "use_residual", bool, file, False) is True,
        weights=single_file(place),
    )
    check_tensors(place, dense.weights, _dense_shapes(dense))
    return Step(place.kind, dense, reads, gives)


def _dense_shapes(dense: Dense) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (dense.outputs, dense.inputs)}
    if dense.bias:
        shapes["linear.bias"] = (dense.outputs,)
    if dense.residual and dense.inputs != dense.outputs:
        shapes["residual.weight"] = (dense.outputs, dense.inputs)
    return shapes


def _ends(config: Json, file: str, default: str) -> tuple[Stage, Stage]:
    """What a dense layer reads and what it gives: the same, or of a vector the scores of a pair."""
    if config.get("module_output_name") == SCORES:
        require(config, {"module_input_name": ("sentence_embedding",)}, file)
        return Stage.VECTOR, Stage.SCORES
    stage = _stage(config, file, default)
    return stage, stage


def _stage(config: Json, file: str, default: str) -> Stage:
    """What a module reads; it has to write the same."""
    name = config.get("module_input_name", default)
    require(config, {"module_input_name": tuple(STAGES)}, file)
    require(config, {"module_output_name": (name, None)}, file)
    return STAGES[name]


def _width(config: Json, key: str, file: str) -> int:
    need(config, key, int, file)
    return positive(config, key, file) or 0


def _activation(config: Json, file: str) -> str:
    if "activation_function" not in config:
        return "Tanh"  # the library's default
    path = need(config, "activation_function", str, file)
    name = ACTIVATIONS.get(path) or SHORT.get(path)
    if name is None:
        raise UnsupportedCheckpoint(
            f"{file} sets activation_function={path!r}, which is not implemented; "
            f"known are {', '.join(ACTIVATIONS)}"
        )
    return name


def read_normalize(place: Place) -> Step:
    """The normalisation; its folder is usually empty.

    Raises:
        UnsupportedCheckpoint: It normalises something else than vectors.
    """
    has_file = place.folder and exists(place.root, place.path("config.json"))
    config = place.config("target") if has_file else {}
    file = place.label("config.json")
    refuse_unknown(config, {"module_input_name", "module_output_name"}, file)
    stage = _stage(config, file, "sentence_embedding")
    return Step(place.kind, Normalize(), stage, stage)


def read_dropout(place: Place) -> None:
    """Dropout does nothing once training is over."""
    del place
