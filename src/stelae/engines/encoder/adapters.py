"""The adapters of an encoder: which parts of it they may change, and loading them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from stelae.catalog.abilities import YesNo
from stelae.catalog.adapters import adapter_folder, read_adapter
from stelae.catalog.fingerprint import adapter_digest
from stelae.catalog.operations import OwnPool, SparsePool
from stelae.catalog.spec import ModelSpec, Static
from stelae.catalog.tensors import Tensors
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.text.adapters import Library, NoAdapters, Shelf
from stelae.nn.backbone import Backbone
from stelae.nn.lora.places import Part, Places
from stelae.nn.lora.reading import fit
from stelae.nn.lora.update import Lora
from stelae.nn.stored import read
from stelae.nn.weights import WeightMap

LM_HEAD = WeightMap(only=(r"(.*\.)?lm_head\.weight",))
"""Of a language model that is asked, the rows of its answers."""


def adapters_of(spec: ModelSpec, model: TextEncoder | None, options: EngineOptions) -> Library:
    """What an engine knows of a model's adapters.

    Args:
        spec: The model.
        model: Its encoder for texts, if it has one.
        options: With the adapters that are registered.
    """
    if model is None or spec.vision is not None:
        return NoAdapters("adapters are implemented for models that read nothing but texts")
    trunk = model.trunk
    if not isinstance(trunk, Backbone) or not trunk.adapts:
        return NoAdapters(f"adapters are not implemented for {spec.backbone.architecture}")
    hub = options.adapters.hub
    loader = _Loader(spec, model, trunk)
    return Shelf(
        spec.name, options.adapters, lambda source: loader.load(adapter_folder(source, hub))
    )


class _Loader:
    """Reads adapters for one model."""

    def __init__(self, spec: ModelSpec, model: TextEncoder, trunk: Backbone) -> None:
        self._spec, self._model, self._trunk = spec, model, trunk

    def load(self, folder: Path) -> Lora:
        """Read an adapter and fit it to the model.

        Raises:
            StelaeError: It is broken, or does not fit, and why.
        """
        adapter = read_adapter(folder)
        tensors = read([folder / adapter.weights])
        return Lora(adapter_digest(adapter), fit(adapter, tensors, self._places))

    @cached_property
    def _places(self) -> Places:
        parts = [Part(self._trunk, self._trunk.weights)]
        if (scorer := self._model.scorer) is not None and not isinstance(self._spec.scoring, YesNo):
            parts.append(Part(scorer.steps[0], self._trunk.classifier_weights))
        return Places(parts, self._shapes(), self._closed())

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the trunk's tensors, under their names without the trunk's prefix."""
        part = self._spec.backbone
        if isinstance(part, Static):
            return {}
        heads = Tensors(Path(self._spec.folder), part.folder, part.weights).heads
        return {
            name.removeprefix(part.prefix): head.shape
            for name, (_, head) in heads.items()
            if name.startswith(part.prefix)
        }

    def _closed(self) -> list[WeightMap]:
        """Heads that count for this model and run on other rows than its texts' own."""
        steps = {type(step) for chain in self._spec.chains for step in chain.steps}
        closed = [self._trunk.masked_lm_weights] if SparsePool in steps else []
        closed += [self._trunk.pooler_weights] if OwnPool in steps else []
        return [*closed, LM_HEAD] if isinstance(self._spec.scoring, YesNo) else closed
