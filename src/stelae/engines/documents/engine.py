"""The documents engine: pictures and a task in, words, places and fields out."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from stelae.catalog.detection import SQUARE
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.engines.documents.features import Asked, Written
from stelae.engines.documents.model import WritingModel
from stelae.engines.documents.writers import WRITERS, Writer
from stelae.engines.extract.options import check_options
from stelae.engines.extract.pictures import PictureJob, Seen, warm_up
from stelae.engines.extract.processor import Processor
from stelae.engines.extract.upstream import load_library, part_of
from stelae.errors import InvalidInput, ModelLoadFailed
from stelae.types import ExtractCall, Extraction

TAKES = ("instruction", "max_new_tokens", "beams")

MOST_BEAMS = 16
"""Widest search."""


class Reading:
    """How the pictures of one call are read.

    Args:
        asked: What is to be written.
        writer: Reads the answers.
        processor: Reads the pictures.

    Attributes:
        cost: Tokens of a picture, of the prompt and of the answer, at most.
    """

    def __init__(self, asked: Asked, writer: Writer, processor: Processor) -> None:
        self._asked, self._writer, self._processor = asked, writer, processor
        self.cost = len(asked.ids) + asked.most * asked.beams

    def read(self, image: Image.Image) -> Prepared[Seen[Asked]]:
        """The entry of a picture; its cost is that of all that may be written.

        Raises:
            InvalidInput: It cannot be resized as the model wants.
        """
        pixels = self._processor.read(image)
        squares = max(1, pixels.shape[1] * pixels.shape[2] // SQUARE**2)
        tokens = squares + len(self._asked.ids) - self._writer.patches
        return Prepared(
            Seen(pixels, image.size, self._asked), cost=squares + self.cost, tokens=tokens
        )

    def gather(self, features: Seen[Asked], row: Written) -> Extraction:
        """What the answer says."""
        return self._writer.read(self._asked.task, row.text, features.size)

    def cut(self, row: Written) -> bool:
        """Whether the model had not come to the end."""
        return row.cut


class DocumentEngine:
    """Serves ``extract``.

    Args:
        spec: The model.
        writer: Knows its prompts and answers.
        processor: Reads its pictures.
        model: Computes.
        info: What is loaded, and how.
    """

    def __init__(
        self,
        spec: ModelSpec,
        writer: Writer,
        processor: Processor,
        model: WritingModel,
        info: EngineInfo,
    ) -> None:
        self.spec, self._writer, self._processor = spec, writer, processor
        self._model, self._info = model, info
        stated = part_of(spec).config["generation"].get("num_beams")
        self._beams = stated if isinstance(stated, int) and 1 <= stated <= MOST_BEAMS else 1

    @property
    def info(self) -> EngineInfo:
        return self._info

    def open(self, call: ExtractCall) -> PictureJob[Seen[Asked], Written]:
        check_options(self.spec, call, TAKES)
        if call.labels:
            raise InvalidInput(
                f"labels: model {self.spec.name!r} is told its task in words; leave them out and "
                "give instruction",
                param="labels",
            )
        reading = Reading(self._asked(call), self._writer, self._processor)
        return PictureJob(call, reading, self.spec.name, self._info.fingerprint)

    def _asked(self, call: ExtractCall) -> Asked:
        task, ids = self._writer.prompt(call.instruction)
        before = len(ids) if self._writer.patches == 0 else 1
        room = self.spec.max_tokens - before
        return Asked(
            task,
            ids,
            most=_within("max_new_tokens", call.max_new_tokens, room, room),
            beams=_within("beams", call.beams, self._beams, MOST_BEAMS),
        )

    def run(self, batch: Sequence[Seen[Asked]]) -> list[Written]:
        return self._model.run(batch)

    def close(self) -> None:
        self._model.close()


def _within(name: str, given: int | None, default: int, most: int) -> int:
    """An option, or what counts without it.

    Raises:
        InvalidInput: It is out of bounds.
    """
    if given is None:
        return default
    if not 1 <= given <= most:
        raise InvalidInput(f"{name}={given}: for this task choose 1..{most}", param=name)
    return given


def load(spec: ModelSpec, options: EngineOptions) -> DocumentEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read it, or its tokenizer knows no tasks.
    """
    if spec.extraction is None:
        raise ModelLoadFailed(f"model {spec.name!r} finds nothing")
    library, info = load_library(spec, options)
    config = part_of(spec).config
    processor = Processor(config["image_processor"])
    writer = WRITERS[spec.extraction.layout](spec)
    model = WritingModel(
        library, writer, processor, config["generation"], deterministic=options.deterministic
    )
    engine = DocumentEngine(spec, writer, processor, model, info)
    warm_up(engine, ExtractCall(model=spec.name, items=[], max_new_tokens=2))
    return engine
