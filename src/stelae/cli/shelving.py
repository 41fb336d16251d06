"""Which engines serve a model, and which files of models are on the server's disk."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import typer
from msgspec.structs import replace

from stelae.cli import reach
from stelae.cli.output import Output, size
from stelae.cli.reach import Where
from stelae.cli.sheets import sheet, whole
from stelae.errors import InvalidInput, NotFound
from stelae.types import CachedModel, EngineFit, Variant

ENGINE = ("Name", "Engine", "Format", "Size (in billions)", "Quantization")
CACHED = ("name", "format", "size", "quantization", "disk", "version", "path")


@dataclass(frozen=True, slots=True)
class Only:
    """What a list of engines is cut down to; ``None`` leaves all in.

    Attributes:
        engine: This engine.
        format: This format, in any case.
        size: This size in billions.
        quantization: This quantisation, in any case.
    """

    engine: str | None = None
    format: str | None = None
    size: str | None = None
    quantization: str | None = None

    def takes(self, engine: str, variant: Variant, quantization: str) -> bool:
        """Whether a line stays."""
        wanted = (self.engine, self.format, self.quantization)
        given = (engine, variant.format, quantization)
        same = all(
            w is None or w.casefold() == g.casefold() for w, g in zip(wanted, given, strict=True)
        )
        return same and (self.size is None or _same_size(self.size, variant.size))


def engines(name: str, only: Only, where: Where, out: Output) -> None:
    """List what serves a model; why an engine does not is told on stderr.

    Raises:
        ModelNotFound: There is no model of that name.
        InvalidInput: No engine, or no variant of the model, is as asked for.
    """
    with reach.connect(*where, timeout=60.0) as client:
        found = client.engines(name)
    kept = [*cut(found, only)]
    if any(fit.variants for fit in found) and not any(fit.variants for fit in kept):
        raise _unserved(name, found, only)
    if out.json:
        out.document(msgspec.to_builtins(kept))
        return
    for line in sheet(ENGINE, list(rows(name, kept, only))):
        out.line(line)
    for fit in kept:
        if fit.reason and not fit.variants:
            out.note(f"{fit.engine}: {fit.reason}")


def cut(found: Iterable[EngineFit], only: Only) -> Iterator[EngineFit]:
    """The engines that were asked for, with the variants that were asked for."""
    for fit in found:
        variants = []
        for variant in fit.variants:
            wanted = tuple(q for q in variant.quantizations if only.takes(fit.engine, variant, q))
            if wanted:
                variants.append(replace(variant, quantizations=wanted))
        if only.engine is None or only.engine.casefold() == fit.engine.casefold():
            yield replace(fit, variants=tuple(variants))


def _unserved(name: str, found: Iterable[EngineFit], only: Only) -> InvalidInput:
    """The refusal of what no engine serves, with what is served in its place."""
    columns = [*zip(*rows(name, found, Only()), strict=True)][1:]
    asked = (only.engine, only.format, only.size, only.quantization)
    words = ("engine", "format", "size", "quantization")
    served = [
        f"{word} {', '.join(dict.fromkeys(map(str, column)))}"
        for word, column, given in zip(words, columns, asked, strict=True)
        if given is not None
    ]
    first = next(word for word, given in zip(words, asked, strict=True) if given is not None)
    message = f"no engine here serves {name!r} so; there is {'; '.join(served)}"
    return InvalidInput(message, param=first)


def rows(name: str, found: Iterable[EngineFit], only: Only) -> Iterator[list[Any]]:
    """A row for each engine and variant."""
    for fit in found:
        for variant in fit.variants:
            for quantization in variant.quantizations:
                if only.takes(fit.engine, variant, quantization):
                    billions = whole(variant.size)
                    yield [name, fit.engine, variant.format, billions, quantization]


def cached(name: str | None, where: Where, out: Output) -> None:
    """List the models whose files are on the server's disk."""
    with reach.connect(*where, timeout=60.0) as client:
        found = client.cached_models(name)
    if out.json:
        out.document(msgspec.to_builtins(found))
    elif found:
        out.table([_row(model) for model in found], CACHED)
    else:
        out.note("no files of models are in the cache" if name is None else f"none of {name}")


def remove(which: str, where: Where, out: Output, *, sure: bool) -> None:
    """Remove the files of a model, once a person is sure.

    Args:
        which: A version, or a name that only one version has.
        where: The server.
        out: Says things.
        sure: Whether that was said already.

    Raises:
        NotFound: There are none.
        InvalidInput: There are several versions, or nobody can be asked.
        Conflict: A loaded model uses them.
    """
    with reach.connect(*where, timeout=60.0) as client:
        model = _meant(which, client.cached_models())
        if not sure:
            _ask(model)
        gone = client.remove_cached(model.version)
    if out.json:
        out.document(msgspec.to_builtins(gone))
    else:
        out.note(f"{gone.version} is removed: {size(gone.bytes)}")


def _meant(which: str, found: list[CachedModel]) -> CachedModel:
    exact = [model for model in found if model.version == which]
    named = exact or [model for model in found if which in (model.model, model.source)]
    if not named:
        raise NotFound(f"no files of {which!r} are in the cache", hint="stelae cached")
    if len(named) > 1:
        versions = ", ".join(model.version for model in named)
        raise InvalidInput(f"{which!r} has several versions: {versions}", param="version")
    return named[0]


def _ask(model: CachedModel) -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked here: --yes says that you are sure", param="yes")
    typer.confirm(
        f"Remove {model.version} ({len(model.files)} files, {size(model.bytes)}) in {model.path}?",
        abort=True,
        err=True,
    )


def _row(model: CachedModel) -> dict[str, Any]:
    return {
        "name": model.model,
        "format": model.format or None,
        "size": None if model.size is None else f"{model.size:g}B",
        "quantization": model.quantization or None,
        "disk": size(model.bytes) + ("" if model.complete else " (broken off)"),
        "version": model.version,
        "path": model.path,
    }


def _same_size(wanted: str, known: float | None) -> bool:
    try:
        return float(wanted.replace("_", ".")) == known
    except ValueError:
        return False
