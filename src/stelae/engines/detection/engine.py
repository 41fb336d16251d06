"""The detection engine: pictures in, boxes with labels out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from stelae.catalog.detection import SQUARE, names_of
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.engines.detection.features import Asked, Boxes, Floats
from stelae.engines.detection.labels import Labels, labels_reader
from stelae.engines.detection.model import ObjectModel
from stelae.engines.extract.options import check_call, threshold_of
from stelae.engines.extract.pictures import PictureJob, Seen, warm_up
from stelae.engines.extract.processor import Processor
from stelae.engines.extract.upstream import load_library, part_of
from stelae.types import DetectedObject, ExtractCall, Extraction
from stelae.types.extract import Box


class Looking:
    """How the pictures of one call are read.

    Args:
        call: What is asked; it has been checked.
        spec: The model.
        processor: Reads its pictures.
        asked: What the model is told.

    Attributes:
        cost: Tokens of a picture and of the words beside it, at most.
    """

    def __init__(
        self, call: ExtractCall, spec: ModelSpec, processor: Processor, asked: Asked
    ) -> None:
        self._processor, self._asked = processor, asked
        self._threshold = threshold_of(spec, call)
        self._names = asked.labels or tuple(names_of(part_of(spec).config, "config.json"))
        self._wanted = frozenset(call.labels or self._names)
        self.cost = spec.max_tokens + asked.tokens

    def read(self, image: Image.Image) -> Prepared[Seen[Asked]]:
        """The entry of a picture.

        Raises:
            InvalidInput: It cannot be resized as the model wants.
        """
        pixels = self._processor.read(image)
        tokens = max(1, pixels.shape[1] * pixels.shape[2] // SQUARE**2) + self._asked.tokens
        return Prepared(Seen(pixels, image.size, self._asked), cost=tokens, tokens=tokens)

    def gather(self, features: Seen[Asked], row: Boxes) -> Extraction:
        """Objects that are wanted and sure enough, best first, in pixels of the picture given.

        What lies beside the picture, in what it was filled up with, is left out.
        """
        frame = self._processor.frame(*features.size)
        found = []
        for index in np.argsort(-row.scores, kind="stable").tolist():
            name, score = self._names[int(row.kinds[index])], float(row.scores[index])
            place = boxed(row.edges[index], frame, features.size)
            if score > self._threshold and name in self._wanted and min(place[2:]) > 0:
                found.append(DetectedObject(label=name, score=score, bbox=place))
        return Extraction(objects=tuple(found))

    def cut(self, row: Boxes) -> bool:
        """No: there are as many boxes as there are."""
        del row
        return False


def boxed(edges: Floats, frame: tuple[int, int], size: tuple[int, int]) -> Box:
    """A box cut to the picture: left and upper edge, width and height in pixels.

    Args:
        edges: Left, upper, right and lower edge as shares of ``frame``.
        frame: Width and height of what the model saw, in pixels of the picture.
        size: Width and height of the picture.
    """
    left, upper, right, lower = (
        min(max(0.0, float(edge) * frame[i % 2]), float(size[i % 2]))
        for i, edge in enumerate(edges)
    )
    return left, upper, right - left, lower - upper


class ObjectEngine:
    """Serves ``extract``.

    Args:
        spec: The model.
        labels: Reads what is looked for.
        processor: Reads its pictures.
        model: Computes.
        info: What is loaded, and how.
    """

    def __init__(
        self,
        spec: ModelSpec,
        labels: Labels,
        processor: Processor,
        model: ObjectModel,
        info: EngineInfo,
    ) -> None:
        self.spec, self._labels, self._processor = spec, labels, processor
        self._model, self._info = model, info

    @property
    def info(self) -> EngineInfo:
        return self._info

    def open(self, call: ExtractCall) -> PictureJob[Seen[Asked], Boxes]:
        check_call(self.spec, call, ())
        asked = self._labels.ask(call.labels)
        looking = Looking(call, self.spec, self._processor, asked)
        return PictureJob(call, looking, self.spec.name, self._info.fingerprint)

    def run(self, batch: Sequence[Seen[Asked]]) -> list[Boxes]:
        return self._model.run(batch)

    def close(self) -> None:
        self._model.close()


def load(spec: ModelSpec, options: EngineOptions) -> ObjectEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing, or the tokenizer is not what the model needs.
        ModelLoadFailed: The library cannot read it.
    """
    library, info = load_library(spec, options)
    processor = Processor(part_of(spec).config["image_processor"])
    layout = spec.extraction.layout if spec.extraction is not None else ""
    model = ObjectModel(library, layout, processor, deterministic=options.deterministic)
    engine = ObjectEngine(spec, labels_reader(spec), processor, model, info)
    known = spec.extraction is not None and spec.extraction.labels
    warm_up(engine, ExtractCall(model=spec.name, items=[], labels=() if known else ("thing",)))
    return engine
