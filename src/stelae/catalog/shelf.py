"""Which models the files in the cache of the hub belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from stelae.catalog.hub_cache import Cached, CachedRepo
from stelae.types import CachedModel, Card, Chosen

WEIGHTS = frozenset({
    ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack", ".npz", ".npy",
})  # fmt: skip
"""How the names of files with weights end."""

Found = tuple[CachedModel, CachedRepo]


def shelf(cards: Iterable[Card], repos: Iterable[CachedRepo]) -> list[Found]:
    """The models in a cache, each with the repository in which its files lie.

    Args:
        cards: Models whose variants are told by name; what is of none goes by its hub id.
        repos: What the cache holds.
    """
    named: dict[str, list[tuple[Card, Chosen]]] = {}
    for card in cards:
        for variant in card.variants:
            for quantization in variant.quantizations:
                chosen = variant.chosen(quantization)
                named.setdefault(chosen.hub, []).append((card, chosen))
    return [found for repo in repos for found in _of_repo(repo, named.get(repo.id, []))]


def version_of(name: str, chosen: Chosen) -> str:
    """The name of a variant: ``qwen3--0.6B--pytorch--none``."""
    size = [] if chosen.size is None else [f"{chosen.size:g}B"]
    return "--".join([name, *size, chosen.format, chosen.quantization])


def _of_repo(repo: CachedRepo, variants: list[tuple[Card, Chosen]]) -> Iterator[Found]:
    whole = [pair for pair in variants if not pair[1].files]
    packed = {file.name for _, chosen in variants for file in repo.files if _is_named(file, chosen)}
    rest = [file for file in repo.files if file.name not in packed]
    told = False
    for card, chosen in variants:
        files = [file for file in repo.files if _is_named(file, chosen)]
        if chosen.files and files:
            told = True
            yield _model(card.name, chosen, repo, files), repo
    for card, chosen in whole[:1]:
        if any(_is_weights(file) for file in rest):
            told = True
            yield _model(card.name, chosen, repo, rest), repo
    if not told:
        yield _unnamed(repo), repo


def _is_named(file: Cached, chosen: Chosen) -> bool:
    return any(fnmatchcase(file.name, pattern) for pattern in chosen.files)


def _is_weights(file: Cached) -> bool:
    return PurePosixPath(file.name).suffix in WEIGHTS


def _model(name: str, chosen: Chosen, repo: CachedRepo, files: list[Cached]) -> CachedModel:
    place = repo.newest if not chosen.files else files[0].path
    return CachedModel(
        version=version_of(name, chosen),
        model=name,
        source=repo.id,
        format=chosen.format,
        size=chosen.size,
        quantization=chosen.quantization,
        path=str(place or repo.folder),
        bytes=_bytes(files),
        files=tuple(str(file.path) for file in files),
        complete=repo.complete,
    )


def _unnamed(repo: CachedRepo) -> CachedModel:
    return CachedModel(
        version=repo.id,
        model=repo.id,
        source=repo.id,
        path=str(repo.newest or repo.folder),
        bytes=_bytes(repo.files),
        files=tuple(str(file.path) for file in repo.files),
        complete=repo.complete and any(_is_weights(file) for file in repo.files),
    )


def _bytes(files: Iterable[Cached]) -> int:
    """Their size, each blob counted once."""
    return sum({file.blob: file.bytes for file in files if file.blob is not None}.values())
