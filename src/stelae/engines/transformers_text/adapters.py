"""The adapters of a language model of the library."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.adapters import adapter_folder, read_adapter
from stelae.catalog.fingerprint import adapter_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.text.adapters import Shelf
from stelae.engines.transformers_text.model import PackedModel
from stelae.engines.transformers_text.packing import Flat
from stelae.nn.lora.places import Part, Places, Shape
from stelae.nn.lora.reading import fit
from stelae.nn.lora.update import Lora
from stelae.nn.stored import read
from stelae.nn.weights import WeightMap

SIGHT = "visual"
"""Part of models that see; what it makes of a picture is the same for all adapters."""


def adapters_of(spec: ModelSpec, model: PackedModel, options: EngineOptions) -> Shelf[Lora]:
    """The adapters that calls may name, loaded when they first do.

    Args:
        spec: The model.
        model: What computes.
        options: With the adapters that are registered.
    """
    hub = options.adapters.hub
    parts = [Part(model.model, WeightMap())]
    places = Places(parts, _shapes(model))

    def load(source: str) -> Lora:
        adapter = read_adapter(adapter_folder(source, hub))
        tensors = read([Path(adapter.folder) / adapter.weights])
        return Lora(adapter_digest(adapter), fit(adapter, tensors, places))

    return Shelf(spec.name, options.adapters, load)


def _shapes(model: PackedModel) -> dict[str, Shape]:
    """Shapes of the matrices that adapters may change, by the library's names."""
    layers = model.model.named_modules()
    return {
        f"{path}.weight": (layer.outputs, layer.inputs)
        for path, layer in layers
        if isinstance(layer, Flat) and SIGHT not in path.split(".")
    }
