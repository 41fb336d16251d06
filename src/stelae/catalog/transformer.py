"""The transformer of a checkpoint as its first module.

Source: sentence-transformers 6.0.1, ``base/modules/transformer.py``.
"""

from __future__ import annotations

from functools import partial

from stelae.catalog.backbone import hidden_size, read_backbone
from stelae.catalog.place import Place
from stelae.catalog.reading import Use, read_reading
from stelae.catalog.steps import Stage, Start
from stelae.errors import UnsupportedCheckpoint

STAGES = {
    Use.TOKENS: Stage.TOKENS,
    Use.LOGITS: Stage.LOGITS,
    Use.SCORES: Stage.SCORES,
    Use.NEXT: Stage.NEXT,
}

CLASSES = {
    Use.LOGITS: ("ForMaskedLM", "ForPreTraining"),
    Use.SCORES: ("ForSequenceClassification",),
    Use.NEXT: ("ForCausalLM",),
}
"""How the names of classes end that come with the head for a use."""


def read_transformer(place: Place, *, use: Use = Use.TOKENS) -> Start:
    """The transformer in a folder of the checkpoint.

    Args:
        place: Its folder.
        use: What is used of it if the file does not say.

    Raises:
        UnsupportedCheckpoint: An option is not implemented, or the checkpoint lacks the
            head that is used.
        ModelLoadFailed: A file is missing or broken.
    """
    backbone = read_backbone(place.root, place.folder)
    reading, used = read_reading(place.root, backbone, use, chat=use is Use.NEXT)
    if not backbone.architecture.endswith(CLASSES.get(used, ("",))):
        raise UnsupportedCheckpoint(
            f"{place.label('config.json')} names the class {backbone.architecture!r}, which has no "
            f"head for {used.value}; one that ends with {' or '.join(CLASSES[used])} is needed"
        )
    return Start(
        kind=place.kind,
        trunk=backbone,
        gives=STAGES[used],
        width=hidden_size(backbone.config),
        reading=reading,
    )


read_masked_transformer = partial(read_transformer, use=Use.LOGITS)
"""The older class for sparse models: the head for masked words, unless the file says else."""
