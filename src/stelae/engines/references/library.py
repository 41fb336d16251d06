"""sentence-transformers by itself, loaded straight from a checkpoint's folder.

What Stelae reads in the folder decides nothing here but the kind of output that is
asked for: prompts, pooling, heads and activations are the library's own reading.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from sentence_transformers import (
    CrossEncoder,
    MultiVectorEncoder,
    SentenceTransformer,
    SparseEncoder,
)
from torch import nn
from transformers import ProcessorMixin

from stelae.catalog.backbone import positions
from stelae.catalog.files import exists, read_object
from stelae.catalog.operations import OwnPool
from stelae.catalog.spec import Backbone, ModelSpec, Static
from stelae.engines.base import EngineOptions
from stelae.engines.references.made import FAILURES, Made, guarded, missing
from stelae.engines.runtime import device_of
from stelae.engines.sentence_transformers.loading import check_class, forget, quiet
from stelae.errors import ModelLoadFailed, OutOfMemory
from stelae.types import OutputType, Role

CLASSES: dict[OutputType | None, Any] = {
    OutputType.DENSE: SentenceTransformer,
    OutputType.SPARSE: SparseEncoder,
    OutputType.MULTIVECTOR: MultiVectorEncoder,
    None: CrossEncoder,
}
"""What makes each kind of output; ``None`` is for scores."""

RENAMED = {"ColBERT": "MultiVectorEncoder"}
"""Classes of other libraries that this one reads as its own."""

DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names of the prompt of documents; the library documents that the first found counts."""

FILLED = frozenset({"siglip", "siglip2"})
"""Model types whose texts are all filled up to one length.

Source: transformers 5.17, the usage tips of ``siglip`` and ``siglip2``.
"""

Show = Callable[[Image.Image], Image.Image]
"""What is done to a picture before the library is given it."""


def as_it_is(image: Image.Image) -> Image.Image:
    """The picture itself."""
    return image


def in_three_colours(image: Image.Image) -> Image.Image:
    """The picture without transparency."""
    return image.convert("RGB")


class Reference:
    """A model of the library, asked for one text or pair at a time.

    One at a time nothing is padded, and one text that the library cannot read spoils
    no other.

    Args:
        model: The library's model.
        output: What it makes; ``None`` for scores.
        saved: Prompts that the checkpoint itself names.
        show: What is done to pictures first.

    Attributes:
        name: Who reads the checkpoint.
    """

    name = "sentence-transformers"

    def __init__(
        self, model: Any, output: OutputType | None, saved: dict[str, Any], show: Show = as_it_is
    ) -> None:
        self._model, self._output, self._show = model, output, show
        # Quirk: sentence-transformers 6.0.1 gives every model an empty prompt "document", and so
        # never comes to the other names that it documents.
        self._document = next((name for name in DOCUMENT_PROMPTS if name in saved), None)
        self._tokens = 0
        self._filled: int | None = None
        if type(model[0]).__name__ == "BoW":
            # Its ``forward`` sees vectors: the words are gone once they are looked up.
            model[0].get_sentence_features = self._counting(model[0].get_sentence_features)
        else:
            model[0].register_forward_pre_hook(self._count)
        for name, module in model[0].named_modules():
            if name.endswith("vision_model.embeddings"):
                module.register_forward_hook(self._count_patches)

    @property
    def two_sided(self) -> bool:
        """Whether it reads queries and documents differently."""
        prompts = self._model.prompts
        named = any(prompts.get(name) for name in ("query", self._document or "document"))
        routed = type(self._model[0]).__name__ == "Router"
        return named or routed or self._output is OutputType.MULTIVECTOR

    @property
    def prompted(self) -> bool:
        """Whether a text of no side gets a prompt too."""
        return self._model.default_prompt_name is not None

    def hear(self, audio: bytes) -> Made:
        """Nothing: other references read the models that hear."""
        del audio
        return Made(None, 0)

    def see(self, image: bytes) -> Made:
        """What the library makes of a picture's file."""

        def run(entries: list[bytes], **options: Any) -> Any:
            pictures = [self._show(Image.open(BytesIO(file))) for file in entries]
            return self._model.encode(pictures, **options)

        return self._made(run, [image], {})

    def encode(self, text: str, role: Role | None) -> Made:
        """What the library makes of a text on one side of a search, or of none."""
        options: dict[str, Any] = {}
        if self._output is OutputType.SPARSE:
            options["convert_to_sparse_tensor"] = False
        if self._output is OutputType.MULTIVECTOR:
            options["convert_to_numpy"] = True
        if role is Role.QUERY:
            return self._made(self._model.encode_query, [text], options)
        if role is Role.DOCUMENT:
            options |= {"prompt_name": self._document}
            return self._made(self._model.encode_document, [text], options)
        return self._made(self._model.encode, [text], options)

    def score(self, query: str, document: str, *, plain: bool) -> Made:
        """The scores of a pair, or the logits they come from."""
        options = {"activation_fn": torch.nn.Identity()} if plain else {}
        return self._made(self._model.predict, [(query, document)], options)

    def _made(self, run: Any, entries: list[Any], options: dict[str, Any]) -> Made:
        def first() -> tuple[Any, int]:
            if self._model.transformers_model is not None:
                forget(self._model.transformers_model)
            row = run(entries, batch_size=1, show_progress_bar=False, **options)[0]
            if self._output is not OutputType.SPARSE:
                return row, self._tokens
            weights = torch.as_tensor(row).float().cpu().numpy()
            terms = np.flatnonzero(weights)
            return (terms, weights[terms]), self._tokens

        return guarded(first)

    def _count(self, module: Any, arguments: tuple[dict[str, Any], ...]) -> None:
        del module
        self._tokens = int(arguments[0]["input_ids"].numel()) if "input_ids" in arguments[0] else 0
        mask = arguments[0].get("pixel_attention_mask")
        self._filled = None if mask is None else int(mask.sum())

    def _counting(self, look_up: Callable[..., Any]) -> Callable[..., Any]:
        """What looks words up, and counts them."""

        def run(texts: list[list[int]], **options: Any) -> Any:
            self._tokens = sum(map(len, texts))
            return look_up(texts, **options)

        return run

    def _count_patches(self, module: Any, arguments: Any, patches: Any) -> None:
        """Patches of a picture, and what stands before them, but for those that fill it up."""
        del module, arguments
        self._tokens = int(patches.shape[1]) if self._filled is None else self._filled


def load_reference(
    spec: ModelSpec,
    output: OutputType | None,
    *,
    longest: int | None = None,
    seed: int = 0,
    show: Show = as_it_is,
) -> Reference:
    """Load a checkpoint with the library, in float32, on the best device there is.

    Args:
        spec: The model; its folder is what is read.
        output: What is wanted of it; ``None`` for scores.
        longest: Tokens it may read, if a person asked for fewer than the checkpoint says.
        seed: Decides the random numbers with which the library fills in weights that
            the checkpoint lacks: if they do anything, another seed makes other numbers.
        show: What is done to pictures before the library is given them.

    Raises:
        NoReference: The library cannot load it, or would make something else of it.
        OutOfMemory: It does not fit into memory.
    """
    _check_kind(spec, output)
    device = device_of(EngineOptions())
    try:
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(seed)
            model = _load(spec, output, device.type)
            _limit(model, spec, longest)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"model '{spec.name}' does not fit into memory on {device}") from error
    except (ModelLoadFailed, *FAILURES) as error:
        cause = f"sentence-transformers cannot load {spec.folder}: {_cause(error)}"
        raise missing(spec, cause) from error
    saved = (read_object(Path(spec.folder), "config_sentence_transformers.json") or {}).get(
        "prompts"
    )
    if _model_type(model) == "siglip2":
        # Quirk: the processor of transformers 5.17 for it reads three colours only.
        show = in_three_colours
    return Reference(model, output, saved or {}, show)


def _cause(error: Exception) -> str:
    """Why the library cannot load a folder, in a line.

    # Quirk: transformers 5.17 asks for leave to run foreign code with a link to the hub that
    # has the folder's path at its end, which leads nowhere.
    """
    message = str(error)
    first = (message.splitlines() or [type(error).__name__])[0]
    if "trust_remote_code" in message and ("://" in first or "contains custom code" in first):
        return "it asks for the checkpoint's own code (auto_map), which is never run"
    return first


def _load(spec: ModelSpec, output: OutputType | None, device: str) -> Any:
    model = CLASSES[output](
        spec.folder,
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"dtype": torch.float32, "use_safetensors": True},
    )
    trunk = model.transformers_model
    if trunk is not None:
        check_class(spec, type(trunk).__name__)
        if getattr(trunk.config, "attn_logit_softcapping", None) is not None:
            # Quirk: transformers 5.17 caps scores in this form of attention only.
            trunk.set_attn_implementation("eager")
        _fill_padding(trunk, spec)
    return model.float().eval()


@torch.no_grad()
def _fill_padding(trunk: nn.Module, spec: ModelSpec) -> None:
    """Give vectors of padding back what the checkpoint has.

    # Quirk: transformers 5.17 sets them to zero after it has read the weights of some classes
    # (ChineseCLIPModel); a text may name the token of padding, which is then read as any other.
    """
    lost = {
        f"{name}.weight": module
        for name, module in trunk.named_modules()
        if isinstance(module, nn.Embedding)
        and module.padding_idx is not None
        and not module.weight[module.padding_idx].any()
    }
    folder = Path(spec.folder, spec.backbone.folder)
    for file in sorted(folder.glob("*.safetensors")) if lost else ():
        with safe_open(file, "pt") as tensors:
            for name in lost.keys() & set(tensors.keys()):
                row = lost[name].padding_idx
                lost[name].weight[row] = tensors.get_slice(name)[row]


def _model_type(model: Any) -> str | None:
    trunk = model.transformers_model
    return None if trunk is None else trunk.config.model_type


def _limit(model: Any, spec: ModelSpec, longest: int | None) -> None:
    """Cut where a person asks, and where the library would run off its table of positions.

    # Quirk: for texts of a model that sees pictures, sentence-transformers 6.0.1 asks a processor,
    # which cuts at the length in ``tokenizer.json`` if there is one, whatever the model reads.
    """
    config = spec.backbone.config if isinstance(spec.backbone, Backbone) else {}
    limits = [limit for limit in (longest, positions(config)) if limit is not None]
    now = model.max_seq_length
    if limits and (now is None or now > min(limits)):
        model.max_seq_length = min(limits)
    first = model[0]
    if not isinstance(getattr(first, "processor", None), ProcessorMixin):
        return
    if _model_type(model) in FILLED:
        first.processing_kwargs = {**first.processing_kwargs, **_filled(first, longest)}
    elif limits:
        texts = {"max_length": model.max_seq_length}
        first.processing_kwargs = {**first.processing_kwargs, "text": texts}


def _filled(first: Any, longest: int | None) -> dict[str, Any]:
    """How texts are filled up, and pictures cut, by a model that reads texts of one length."""
    length = first.model.config.text_config.max_position_embeddings
    length = min(length, longest or length)
    texts = {"padding": "max_length", "truncation": True, "max_length": length}
    return {"text": texts, "image": _patches(first.processor.image_processor)}


def _patches(processor: Any) -> dict[str, int]:
    """How the checkpoint cuts pictures, where it says so.

    # Quirk: the processor of transformers 5.17 for ``siglip2`` has patches of 16 pixels and 256 of
    # them for a picture, whatever the checkpoint's own file says.
    """
    names = ("patch_size", "max_num_patches")
    return {name: getattr(processor, name) for name in names if hasattr(processor, name)}


def _check_kind(spec: ModelSpec, output: OutputType | None) -> None:
    """Refuse what the library would make with a part put on top that is not the checkpoint's."""
    root = Path(spec.folder)
    own = any(isinstance(step, OwnPool) for chain in spec.chains for step in chain.steps)
    if own and spec.vision is None:
        raise missing(spec, "sentence-transformers pools the vectors of a single tower otherwise")
    if isinstance(spec.backbone, Static) and (spec.backbone.scales or spec.backbone.unused):
        raise missing(spec, "sentence-transformers does not see all that model2vec has written")
    wanted = CLASSES[output].__name__
    stated = (read_object(root, "config_sentence_transformers.json") or {}).get("model_type")
    if stated is None and OutputType.DENSE in spec.outputs:
        stated = "SentenceTransformer"
    if stated is not None and exists(root, "modules.json"):
        stated = RENAMED.get(stated, stated)
        if stated != wanted:
            made = output.value if output is not None else "scores"
            raise missing(spec, f"sentence-transformers reads it as {stated}, without {made}")
