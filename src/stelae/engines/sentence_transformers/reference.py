"""The library by itself, loaded straight from a checkpoint's folder, to compare others with.

What Stelae reads in the folder decides nothing here but the kind of output that is
asked for: prompts, pooling, heads and activations are the library's own reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
from stelae.engines.runtime import device_of
from stelae.engines.sentence_transformers.loading import LIBRARY_ERRORS, check_class, quiet
from stelae.errors import ModelLoadFailed, NoReference, OutOfMemory
from stelae.types import Modality, OutputType, Role

Vector = NDArray[np.float32]

Value = Vector | tuple[NDArray[np.int64], Vector]
"""A vector ``(D,)``, token vectors ``(T, D)``, scores ``(L,)``, or ids and weights of terms."""

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

FAILURES = (*LIBRARY_ERRORS, IndexError)


@dataclass(frozen=True, slots=True)
class Made:
    """What the library made of one text or pair.

    Attributes:
        value: Finite numbers; ``None`` if it failed.
        tokens: Tokens it ran.
    """

    value: Value | None
    tokens: int


class Reference:
    """A model of the library, asked for one text or pair at a time.

    One at a time nothing is padded, and one text that the library cannot read spoils
    no other.

    Args:
        model: The library's model.
        output: What it makes; ``None`` for scores.
        saved: Prompts that the checkpoint itself names.
    """

    def __init__(self, model: Any, output: OutputType | None, saved: dict[str, Any]) -> None:
        self._model, self._output = model, output
        # Quirk: sentence-transformers 6.0.1 gives every model an empty prompt "document", and so
        # never comes to the other names that it documents.
        self._document = next((name for name in DOCUMENT_PROMPTS if name in saved), None)
        self._tokens = 0
        model[0].register_forward_pre_hook(self._count)

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

    def see(self, image: bytes) -> Made:
        """What the library makes of a picture's file."""
        return self._made(self._model.encode, [Image.open(BytesIO(image))], {})

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

    @torch.inference_mode()
    def _made(self, run: Any, entries: list[Any], options: dict[str, Any]) -> Made:
        try:
            with quiet():
                row = run(entries, batch_size=1, show_progress_bar=False, **options)[0]
        except FAILURES:
            return Made(None, 0)
        numbers = np.atleast_1d(torch.as_tensor(row).float().cpu().numpy())
        if not np.isfinite(numbers).all():
            return Made(None, 0)
        if self._output is not OutputType.SPARSE:
            return Made(numbers, self._tokens)
        terms = np.flatnonzero(numbers)
        return Made((terms, numbers[terms]), self._tokens)

    def _count(self, module: Any, arguments: tuple[dict[str, Any], ...]) -> None:
        del module
        self._tokens = int(arguments[0]["input_ids"].numel()) if "input_ids" in arguments[0] else 0


def load_reference(
    spec: ModelSpec, output: OutputType | None, *, longest: int | None = None, seed: int = 0
) -> Reference:
    """Load a checkpoint with the library, in float32, on the best device there is.

    Args:
        spec: The model; its folder is what is read.
        output: What is wanted of it; ``None`` for scores.
        longest: Tokens it may read, if a person asked for fewer than the checkpoint says.
        seed: Decides the random numbers with which the library fills in weights that
            the checkpoint lacks: if they do anything, another seed makes other numbers.

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
        raise _missing(spec, cause) from error
    saved = (read_object(Path(spec.folder), "config_sentence_transformers.json") or {}).get(
        "prompts"
    )
    return Reference(model, output, saved or {})


def _cause(error: Exception) -> str:
    """Why the library cannot load a folder, in a line.

    # Quirk: transformers 5.17 asks for leave to run foreign code with a link to the hub that
    # has the folder's path at its end, which leads nowhere.
    """
    message = str(error)
    first = (message.splitlines() or [type(error).__name__])[0]
    if "trust_remote_code" in message and "://" in first:
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
    if limits and isinstance(getattr(first, "processor", None), ProcessorMixin):
        texts = {"max_length": model.max_seq_length}
        first.processing_kwargs = {**first.processing_kwargs, "text": texts}


def _check_kind(spec: ModelSpec, output: OutputType | None) -> None:
    """Refuse what the library would make with a part put on top that is not the checkpoint's."""
    root = Path(spec.folder)
    own = any(isinstance(step, OwnPool) for chain in spec.chains for step in chain.steps)
    if Modality.TEXT not in spec.inputs or (own and spec.vision is None):
        raise _missing(spec, "sentence-transformers pools the vectors of a single tower otherwise")
    if isinstance(spec.backbone, Static) and (spec.backbone.scales or spec.backbone.unused):
        raise _missing(spec, "sentence-transformers does not see all that model2vec has written")
    wanted = CLASSES[output].__name__
    stated = (read_object(root, "config_sentence_transformers.json") or {}).get("model_type")
    if stated is None and OutputType.DENSE in spec.outputs:
        stated = "SentenceTransformer"
    if stated is not None and exists(root, "modules.json"):
        stated = RENAMED.get(stated, stated)
        if stated != wanted:
            made = output.value if output is not None else "scores"
            raise _missing(spec, f"sentence-transformers reads it as {stated}, without {made}")


def _missing(spec: ModelSpec, reason: str) -> NoReference:
    return NoReference(f"model '{spec.name}' has no reference: {reason}")
