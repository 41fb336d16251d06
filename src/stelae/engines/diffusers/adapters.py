"""The adapters of a model that makes pictures: put on for one batch, taken off for the next."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer

from stelae.catalog.imaging_adapters import imaging_adapter
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.engines.text.adapters import Shelf
from stelae.errors import LoraFailed

NARROWING = ("lora_A.weight", "down.weight")
"""How the names of an adapter's first matrices end, by trainer."""

TOWERS = ("text_encoder", "text_encoder_2")
"""Parts that may be text towers of CLIP."""


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter on this machine.

    Attributes:
        digest: SHA-256 of its file.
        file: Its safetensors.
    """

    digest: str
    file: Path


def shelf_of(spec: ModelSpec, options: EngineOptions) -> Shelf[Lora]:
    """The adapters that calls may name, fetched and looked at when they first do."""

    def load(source: str) -> Lora:
        path = imaging_adapter(source, options.adapters.hub)
        with path.open("rb") as file:
            return Lora(hashlib.file_digest(file, "sha256").hexdigest(), path)

    return Shelf(spec.name, options.adapters, load)


class Wardrobe:
    """Puts adapters on the parts of pipelines; used by one thread.

    Args:
        pipeline: One of those that share the parts.
        most: Adapters that are kept beside the weights at once.
    """

    def __init__(self, pipeline: Any, most: int) -> None:
        self._pipeline, self._most = pipeline, most
        self._held: OrderedDict[str, None] = OrderedDict()

    def wear(self, lora: Lora | None) -> None:
        """Let the parts compute with an adapter, or without any.

        Raises:
            LoraFailed: It does not fit the model.
        """
        if lora is None:
            if self._held:
                self._pipeline.disable_lora()
            return
        if lora.digest not in self._held:
            self._put_on(lora)
        self._held.move_to_end(lora.digest)
        self._pipeline.enable_lora()
        self._pipeline.set_adapters([lora.digest])

    def _put_on(self, lora: Lora) -> None:
        while len(self._held) >= self._most:
            oldest, _ = self._held.popitem(last=False)
            self._pipeline.delete_adapters([oldest])
        try:
            self._load(lora)
        except (*LIBRARY_ERRORS, LoraFailed) as error:
            self._take_all_off()
            raise LoraFailed(
                f"the adapter in {lora.file.name} does not fit the model: {error}", param="lora"
            ) from error
        self._held[lora.digest] = None

    def _load(self, lora: Lora) -> None:
        place = {"weight_name": lora.file.name, "local_files_only": True, "use_safetensors": True}
        folder = str(lora.file.parent)
        with self._renaming():
            read = self._pipeline.lora_state_dict(folder, **place)
            self._pipeline.load_lora_weights(folder, adapter_name=lora.digest, **place)
        tensors = read[0] if isinstance(read, tuple) else read
        wanted = sum(name.endswith(NARROWING) for name in tensors)
        fits = sum(lora.digest in layer.lora_A for layer in self._layers())
        if not fits or fits < wanted:
            raise LoraFailed(f"{fits} of its {wanted} layers are the model's")

    @contextmanager
    def _renaming(self) -> Iterator[None]:
        """Let the library find layers of CLIP, which transformers 5 keeps under shorter names."""
        parts = [n for n in TOWERS if n in self._pipeline.components]
        short = [n for n in parts if not hasattr(getattr(self._pipeline, n), "text_model")]
        read = self._pipeline.lora_state_dict

        def renamed(*given: Any, **options: Any) -> Any:
            found = read(*given, **options)
            if not isinstance(found, tuple):
                return _shortened(found, short)
            return tuple(_shortened(each, short) for each in found)

        self._pipeline.lora_state_dict = renamed
        try:
            yield
        finally:
            del self._pipeline.lora_state_dict

    def _layers(self) -> list[Any]:
        """Layers that adapters have been put on."""
        parts = [part for part in self._pipeline.components.values() if hasattr(part, "modules")]
        return [
            layer for part in parts for layer in part.modules() if isinstance(layer, BaseTunerLayer)
        ]

    def _take_all_off(self) -> None:
        self._pipeline.unload_lora_weights()
        self._held.clear()


def _shortened(table: dict[str, Any] | None, parts: list[str]) -> dict[str, Any] | None:
    """The same with the names of the parts' layers as they are now."""
    if table is None:
        return None
    names = {f"{part}.text_model.": f"{part}." for part in parts}
    return {_replaced(name, names): value for name, value in table.items()}


def _replaced(name: str, starts: dict[str, str]) -> str:
    long = next((start for start in starts if name.startswith(start)), "")
    return starts.get(long, "") + name.removeprefix(long)
