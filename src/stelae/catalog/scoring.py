"""Cross-encoders: what the scores of a classification head are called and mean.

Source: sentence-transformers 6.0.1, ``cross_encoder/model.py``; transformers 5.17,
``configuration_utils.py`` (labels).
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Classify
from stelae.catalog.files import Json, join
from stelae.catalog.options import positive, take
from stelae.catalog.segments import tells_apart
from stelae.catalog.settings import NAME, Settings
from stelae.catalog.spec import Backbone
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": "Identity",
    "torch.nn.modules.activation.Sigmoid": "Sigmoid",
    "torch.nn.modules.activation.Softmax": "Softmax",
    "torch.nn.modules.activation.Tanh": "Tanh",
    "torch.nn.modules.activation.ReLU": "ReLU",
    "torch.nn.modules.activation.Softplus": "Softplus",
    "torch.nn.modules.activation.LogSigmoid": "LogSigmoid",
}
SHORT = {f"torch.nn.{path.rpartition('.')[2]}": name for path, name in ACTIVATIONS.items()}

LABELS = 2
"""Labels of a head that transformers makes where nothing is stated."""


def read_scoring(root: Path, backbone: Backbone, settings: Settings) -> Classify:
    """The scores of a transformer with a head for classes.

    Raises:
        UnsupportedCheckpoint: The activation is not implemented.
        ModelLoadFailed: The labels are not what they should be.
    """
    file = f"{join(backbone.folder, 'config.json')} in {root}"
    labels = _labels(backbone.config, file)
    return Classify(
        labels=labels,
        activation=activation_of(root, settings, backbone, len(labels)),
        typed=tells_apart(root, backbone),
    )


def headed(root: Path, backbone: Backbone, settings: Settings, count: int) -> Classify:
    """The scores of a head beside the transformer, which has no names for them.

    Raises:
        UnsupportedCheckpoint: The activation is not implemented.
        ModelLoadFailed: A file is broken.
    """
    return Classify(
        labels=tuple(f"LABEL_{i}" for i in range(count)),
        activation=activation_of(root, settings, backbone, count),
        typed=tells_apart(root, backbone),
    )


def _labels(config: Json, file: str) -> tuple[str, ...]:
    """Names of the labels in order; numbers where they have no names."""
    named = take(config, "id2label", dict, file) or {}
    count = positive(config, "num_labels", file)
    if not named:
        return tuple(f"LABEL_{i}" for i in range(count or LABELS))
    labels = tuple(named.get(str(i)) for i in range(len(named)))
    texts = tuple(label for label in labels if isinstance(label, str))
    if len(texts) != len(named):
        raise ModelLoadFailed(f"{file} has labels numbered {', '.join(named)}; 0.. was expected")
    if count is not None and count != len(texts):
        raise ModelLoadFailed(f"{file} sets num_labels={count} and names {len(texts)} labels")
    return texts


def activation_of(
    root: Path, settings: Settings, backbone: Backbone | None = None, labels: int = 1
) -> str:
    """The function on scores: as stated, else what the library takes.

    Args:
        root: The checkpoint.
        settings: Of the model as a whole.
        backbone: The transformer, whose ``config.json`` may name one.
        labels: Number of scores.

    Raises:
        UnsupportedCheckpoint: It is not implemented.
    """
    config: Json = {} if backbone is None else backbone.config
    file = f"config.json in {root}"
    own = take(config, "sentence_transformers", dict, file) or {}
    for path, where in (
        (settings.activation, f"{NAME} in {root}"),
        (take(own, "activation_fn", str, file), file),
        (take(config, "sbert_ce_default_activation_function", str, file), file),
    ):
        if path is not None:
            return _known(path, where)
    return "Sigmoid" if labels == 1 else "Identity"


def _known(path: str, file: str) -> str:
    name = ACTIVATIONS.get(path) or SHORT.get(path)
    if name is None:
        raise UnsupportedCheckpoint(
            f"{file} puts {path!r} on its scores, which is not implemented; "
            f"known are {', '.join(ACTIVATIONS)}"
        )
    return name
