"""Both sides of a search in one model: one trunk, and a chain for each side.

Source: sentence-transformers 6.0.1, ``model.py`` of its kinds of model.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from stelae.catalog.backbone import positions
from stelae.catalog.files import inside
from stelae.catalog.found import Found
from stelae.catalog.late import read_late, without_markers
from stelae.catalog.modules import Sides
from stelae.catalog.operations import Cut, Module, Normalize
from stelae.catalog.settings import Kind, Settings
from stelae.catalog.spec import Backbone, Chain, Static
from stelae.catalog.steps import Chained, Stage, Start
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import OutputType

GIVES = {Kind.DENSE: Stage.VECTOR, Kind.SPARSE: Stage.TERMS, Kind.LATE: Stage.TOKENS}
"""What the modules of each kind of model end with."""

OUTPUTS = {
    Kind.DENSE: OutputType.DENSE,
    Kind.SPARSE: OutputType.SPARSE,
    Kind.LATE: OutputType.MULTIVECTOR,
}


def join_sides(root: Path, sides: Sides, settings: Settings) -> Found:
    """One model of what was read for each side.

    Raises:
        UnsupportedCheckpoint: The sides have different transformers or tokenizers, or
            end with something else than such a model should.
        ModelLoadFailed: They make vectors of different widths.
    """
    for side in sides.values():
        _check_end(root, side, settings.kind)
        _check_lengths(root, side, settings.kind)
    start = _one_trunk(root, sides)
    trunk = start.trunk
    if trunk is None:
        raise TypeError("a start without a trunk")
    _check_tokenizers(root, sides, start)
    width = _one_width(root, sides)
    close, width, limit = _closing(root, sides, settings, start, width)
    chains = tuple(
        Chain(output=OUTPUTS[settings.kind], steps=(*side.modules, *close), role=role)
        for role, side in sides.items()
    )
    late = settings.kind is Kind.LATE
    prompts = without_markers(root, settings)
    return Found(
        trunk=trunk,
        reading=start.reading,
        settings=msgspec.structs.replace(settings, prompts=prompts),
        chains=chains,
        width=width if settings.kind is Kind.DENSE else 0,
        token_width=width if late else 0,
        limit=limit,
        notes=tuple(dict.fromkeys(s.start.note for s in sides.values() if s.start.note)),
    )


def _check_end(root: Path, side: Chained, kind: Kind) -> None:
    if side.gives is not GIVES[kind]:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} ends with {side.gives.value}; a {kind.value} ends with "
            f"{GIVES[kind].value}"
        )


def _check_lengths(root: Path, side: Chained, kind: Kind) -> None:
    """Refuse lengths of one side only, which are for late interaction."""
    reading = side.start.reading
    given = {
        "query_length": reading.query_length,
        "document_length": reading.document_length,
        "query_expansion": reading.expansion,
    }
    for name, value in given.items():
        if value is not None and kind is not Kind.LATE:
            raise UnsupportedCheckpoint(
                f"the transformer {side.start.reading.folder!r} in {root} sets {name}={value!r}, "
                f"which is not implemented for a {kind.value}"
            )


def _one_trunk(root: Path, sides: Sides) -> Start:
    starts = [side.start for side in sides.values() if side.start.trunk is not None]
    if not starts:
        raise UnsupportedCheckpoint(
            f"the checkpoint in {root} has neither a transformer nor a table of vectors"
        )
    if any(start.trunk != starts[0].trunk for start in starts):
        raise UnsupportedCheckpoint(
            f"the checkpoint in {root} has another transformer for each side of a search; "
            "one for both is implemented"
        )
    return starts[0]


def _check_tokenizers(root: Path, sides: Sides, first: Start) -> None:
    """Refuse sides that would read the same text as different tokens."""
    for side in sides.values():
        reading = side.start.reading
        if reading.lowercase != first.reading.lowercase or (
            reading.tokenizer != first.reading.tokenizer
            and _digest(root, reading.tokenizer) != _digest(root, first.reading.tokenizer)
        ):
            raise UnsupportedCheckpoint(
                f"{reading.tokenizer} and {first.reading.tokenizer} in {root} differ; one "
                "tokenizer for both sides of a search is implemented"
            )


def _digest(root: Path, file: str) -> bytes:
    with inside(root, file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _one_width(root: Path, sides: Sides) -> int:
    widths = {side.width for side in sides.values()}
    if len(widths) > 1 and all(side.gives is not Stage.TERMS for side in sides.values()):
        raise ModelLoadFailed(
            f"the checkpoint in {root} makes vectors of widths "
            f"{' and '.join(map(str, sorted(widths)))} of queries and documents; they cannot be "
            "compared"
        )
    return max(widths)


def _closing(
    root: Path, sides: Sides, settings: Settings, start: Start, width: int
) -> tuple[tuple[Module, ...], int, int | None]:
    """Steps that ``modules.json`` leaves unsaid, the width after them, the longest text."""
    limit = start.reading.limit
    if settings.kind is Kind.LATE:
        mask = next((side.mask for side in sides.values() if side.mask is not None), None)
        late = read_late(root, settings, start.reading, mask, _table(start.trunk))
        unit = (Normalize(),) if settings.implied else ()
        longest = max(late.query.max_tokens, late.document.max_tokens)
        return (*unit, late), width, longest
    if settings.cut_to is not None and settings.cut_to < width:
        return (Cut(width=settings.cut_to),), settings.cut_to, limit
    return (), width, limit


def _table(trunk: Backbone | Static | None) -> int | None:
    return positions(trunk.config) if isinstance(trunk, Backbone) else None
