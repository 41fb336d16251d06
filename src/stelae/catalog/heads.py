"""Pooling, dense and normalise: the folders of the modules after the transformer.

Source: sentence-transformers 6.0.1, ``sentence_transformer/modules/pooling.py``,
``base/modules/dense.py``, ``base/modules/normalize.py``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.files import Json, inside, join, read_object
from stelae.catalog.options import need, positive, refuse_unknown, require, take
from stelae.catalog.spec import Dense, Normalize, Pool, Pooling
from stelae.catalog.weights import FLOATS, TensorHead, read_header, weight_files
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

ON_SENTENCE = {
    "module_input_name": ("sentence_embedding",),
    "module_output_name": ("sentence_embedding", None),
}
"""Modules after pooling work on the one vector, never on the token vectors."""


def read_pool(root: Path, folder: str) -> Pool:
    """The pooling in a folder of the checkpoint.

    Raises:
        UnsupportedCheckpoint: A mode or an option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    file = join(folder, "config.json")
    config = read_object(root, file)
    if config is None:
        raise ModelLoadFailed(f"no {file} in {root}, so its pooling is not known")
    refuse_unknown(config, POOL_KEYS, f"{file} in {root}")
    width = positive(config, "word_embedding_dimension", file) or positive(
        config, "embedding_dimension", file
    )
    return Pool(
        modes=_modes(config, f"{file} in {root}"),
        include_prompt=take(config, "include_prompt", bool, file, True) is not False,
        width=width or 0,
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


def read_dense(root: Path, folder: str) -> Dense:
    """The dense layer in a folder of the checkpoint, its weights' shapes checked.

    Raises:
        UnsupportedCheckpoint: The activation or an option is not implemented.
        ModelLoadFailed: A file is missing or broken, or a shape is wrong.
    """
    file = join(folder, "config.json")
    config = read_object(root, file)
    if config is None:
        raise ModelLoadFailed(f"no {file} in {root}, so its dense layer is not known")
    file = f"{file} in {root}"
    refuse_unknown(config, DENSE_KEYS, file)
    require(config, {**ON_SENTENCE, "use_residual": (False,)}, file)
    inputs, outputs = (_width(config, key, file) for key in ("in_features", "out_features"))
    dense = Dense(
        folder=folder,
        inputs=inputs,
        outputs=outputs,
        bias=take(config, "bias", bool, file, True) is not False,
        activation=_activation(config, file),
        weights=_single(root, folder),
    )
    _check_shapes(root, dense)
    return dense


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


def _single(root: Path, folder: str) -> str:
    files = weight_files(root, folder)
    if len(files) != 1:
        raise UnsupportedCheckpoint(
            f"the dense layer {folder} in {root} has its weights in {len(files)} files; "
            "one is implemented"
        )
    return files[0]


def _check_shapes(root: Path, dense: Dense) -> None:
    expected = {"linear.weight": (dense.outputs, dense.inputs)}
    if dense.bias:
        expected["linear.bias"] = (dense.outputs,)  # type: ignore[assignment]
    heads = read_header(inside(root, join(dense.folder, dense.weights)))
    for name, shape in expected.items():
        _check_tensor(heads, name, shape, f"{join(dense.folder, dense.weights)} in {root}")
    if surplus := sorted(set(heads) - set(expected)):
        raise UnsupportedCheckpoint(
            f"{join(dense.folder, dense.weights)} in {root} holds {', '.join(surplus)}, "
            f"which is not implemented; expected are {', '.join(expected)}"
        )


def _check_tensor(
    heads: dict[str, TensorHead], name: str, shape: tuple[int, ...], file: str
) -> None:
    head = heads.get(name)
    if head is None:
        raise ModelLoadFailed(f"{file} lacks the tensor {name!r}")
    if head.shape != shape or head.dtype not in FLOATS:
        raise ModelLoadFailed(
            f"{file} holds {name!r} as {head.dtype} of shape {list(head.shape)}; "
            f"floats of shape {list(shape)} were expected"
        )


def read_normalize(root: Path, folder: str) -> Normalize:
    """The normalisation; its folder is usually empty.

    Raises:
        UnsupportedCheckpoint: It normalises something else than the vector.
    """
    config = read_object(root, join(folder, "config.json")) if folder else None
    if config:
        file = f"{join(folder, 'config.json')} in {root}"
        refuse_unknown(config, ON_SENTENCE, file)
        require(config, ON_SENTENCE, file)
    return Normalize()
