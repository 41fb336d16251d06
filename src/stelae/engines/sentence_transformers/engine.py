"""The sentence-transformers library behind our engine: its modules, our reading of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stelae.catalog.operations import Foreign, StaticTerms
from stelae.catalog.reading import Use
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.runtime import device_of, dtype_of, faithful_dtype, name_of
from stelae.engines.sentence_transformers import dense, late, pairs, sparse
from stelae.engines.sentence_transformers.inputs import Inputs
from stelae.engines.sentence_transformers.kinds import Kind, Steps
from stelae.engines.sentence_transformers.loading import CheckedTransformer, load_trunk, telling
from stelae.engines.sentence_transformers.steps import modules_of
from stelae.engines.sentence_transformers.tokens import LibraryTokenizer
from stelae.engines.sentence_transformers.words import WORDS, WordTokenizer, load_words
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features, Output
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.nn.architectures import known
from stelae.types import ComputeDtype, OutputType, Role

MOST = 1 << 26
"""Numbers of a transformer's answer that are held at once, where each token has many."""

KINDS: dict[OutputType, Callable[[ModelSpec], Kind]] = {
    OutputType.DENSE: dense.kind_of,
    OutputType.SPARSE: sparse.kind_of,
    OutputType.MULTIVECTOR: late.kind_of,
}


class LibraryModel(nn.Module):
    """Runs the library's modules, one after the other.

    Args:
        kind: What the model is.
        chains: Its modules for each side of a search, the transformer first.
        inputs: Puts texts together.
    """

    def __init__(
        self, kind: Kind, chains: Mapping[Role | None, Sequence[nn.Module]], inputs: Inputs
    ) -> None:
        super().__init__()
        self._kind, self._inputs = kind, inputs
        self._sides = list(chains)
        self.chains = nn.ModuleList(nn.ModuleList(modules) for modules in chains.values())
        self.to(inputs.device).eval()

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Output]:
        outputs = [Output() for _ in batch]
        for part in self._inputs.parts(batch):
            texts = [batch[i] for i in part]
            features = self._inputs.tensors(texts)
            if self._kind.use is Use.NEXT:
                features["logits_to_keep"] = 1
            for i, made in zip(part, self._rows(features, texts), strict=True):
                outputs[i] = made
        return outputs

    def _rows(self, features: dict[str, Any], texts: Sequence[Features]) -> list[Output]:
        """What the modules make; most of them fail on texts of no words at all."""
        try:
            for module in self._chain(texts[0].role):
                features = module(features)
        except (IndexError, RuntimeError) as error:
            if any(len(text.ids) for text in texts):
                raise
            raise InvalidInput("the text has no tokens for this model; give some text") from error
        return self._kind.rows(features, texts)

    def _chain(self, role: Role | None) -> nn.ModuleList:
        sides = (role, None, Role.DOCUMENT)
        found = self.chains[next(self._sides.index(s) for s in sides if s in self._sides)]
        if not isinstance(found, nn.ModuleList):
            raise TypeError("a side without modules")
        return found

    def close(self) -> None:
        del self.chains


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint with the library.

    Raises:
        UnsupportedCheckpoint: It needs code of its own.
        ModelLoadFailed: Weights are missing, or the library cannot read it.
    """
    device = device_of(options)
    dtype, note = _dtype(spec, options, device)
    kind = KINDS[spec.outputs[0]](spec) if spec.chains else pairs.kind_of(spec)
    with telling(spec, device.type):
        start = _load_start(spec, kind, dtype)
        chains = {
            role: [*_first(start.module, steps), *modules_of(spec, steps)]
            for role, steps in kind.chains.items()
        }
        inputs = Inputs(
            tokenizer=start.tokenizer,
            device=device,
            padding=start.padding,
            alone=options.deterministic or start.single,
            most=None if kind.numbers == 1 else MOST // kind.numbers,
        )
        model = LibraryModel(kind, chains, inputs)
    return TextEngine(
        spec, start.tokenizer, model, dtype=name_of(dtype), device=str(device), notes=(note,)
    )


@dataclass(frozen=True, slots=True)
class Start:
    """What reads texts.

    Attributes:
        module: The first module.
        tokenizer: Its tokenizer.
        padding: As ``Inputs`` has it.
        single: Whether it takes one text at a time.
    """

    module: nn.Module
    tokenizer: LibraryTokenizer | WordTokenizer
    padding: int | None = None
    single: bool = False


def _load_start(spec: ModelSpec, kind: Kind, dtype: torch.dtype) -> Start:
    if not isinstance(spec.backbone, Backbone):
        raise UnsupportedCheckpoint(f"model '{spec.name}' has no transformer")
    if spec.backbone.architecture in WORDS:
        return Start(*load_words(spec, spec.backbone))
    trunk = load_trunk(spec, spec.backbone, kind.use, dtype)
    if trunk.tokenizer is None:
        raise UnsupportedCheckpoint(f"model '{spec.name}' has no tokenizer")
    tokenizer = LibraryTokenizer(trunk.tokenizer, pairs=spec.scoring is not None)
    padding = trunk.tokenizer.pad_token_id if _pads(spec, kind) else None
    return Start(trunk, tokenizer, padding, _single(kind, trunk))


def _first(module: nn.Module, steps: Steps) -> list[nn.Module]:
    """The first module, unless a side does without."""
    return [] if steps and isinstance(steps[0], StaticTerms) else [module]


def _pads(spec: ModelSpec, kind: Kind) -> bool:
    """Whether texts of other lengths may stand together: it is known that padding is not read."""
    steps = [step for steps in kind.chains.values() for step in steps]
    foreign = any(isinstance(step, Foreign) for step in steps)
    return kind.use is not Use.NEXT and not foreign and spec.backbone.architecture in known()


def _single(kind: Kind, trunk: CheckedTransformer) -> bool:
    """Whether the transformer takes one text at a time.

    # Quirk: classes of transformers 5.17 that find the last token of a text by its padding
    # do, where no token of padding is named.
    """
    return kind.use is Use.SCORES and trunk.config.pad_token_id is None


def _dtype(
    spec: ModelSpec, options: EngineOptions, device: torch.device
) -> tuple[torch.dtype, str]:
    """As everywhere, but that ``auto`` stays with float32 on the CPU, and where less is untried."""
    if options.dtype is ComputeDtype.AUTO and device.type == Device.CPU.value:
        return torch.float32, "float32: the reference; ask for bfloat16 if you want it"
    if spec.backbone.architecture not in known():
        return faithful_dtype(options)
    return dtype_of(options, device)
