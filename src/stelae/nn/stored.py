"""Tensors as files hold them: under the files' own names, and where they came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stelae.catalog.torch_file import TORCH_SUFFIXES
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.torch_file import read_torch

NUMBER = r"(?<=\.)\d+(?=\.)"
"""Of a layer, within a name."""

OTHER = {"weight": "bias", "bias": "weight"}


class Stored(dict[str, Tensor]):
    """Tensors by their names in files, or by what is left of these.

    Args:
        tensors: The tensors.
        where: The files, for people.
        prefix: What stands before each name in the files.
    """

    def __init__(self, tensors: Mapping[str, Tensor], where: str = "weights", prefix: str = ""):
        super().__init__(tensors)
        self.where, self.prefix = where, prefix


def stored(tensors: Mapping[str, Tensor]) -> Stored:
    """Tensors with where they came from, if that is known."""
    return tensors if isinstance(tensors, Stored) else Stored(tensors)


def read(files: Iterable[Path]) -> Stored:
    """Read all tensors of safetensors files, and of torch's own.

    Raises:
        UnsupportedCheckpoint: A file is missing or is not valid.
        ModelLoadFailed: A file of torch is broken.
    """
    paths = list(files)
    found = Stored({}, _where(paths))
    for file in paths:
        try:
            found |= read_torch(file) if file.suffix in TORCH_SUFFIXES else load_file(file)
        except (SafetensorError, OSError) as error:
            raise UnsupportedCheckpoint(f"weights {file.name} cannot be read: {error}") from error
    return found


def _where(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - 1} more" if paths[1:] else ""
    return f"weights in {paths[0]}{more}" if paths else "weights"


def within(tensors: Mapping[str, Tensor], prefix: str) -> Stored:
    """Tensors whose names start so, under the rest of their names."""
    own = stored(tensors)
    rest = {n.removeprefix(prefix): t for n, t in own.items() if n.startswith(prefix)}
    return Stored(rest, own.where, own.prefix + prefix)


def neighbours(new: str, names: Iterable[str]) -> Iterator[str]:
    """What a lacking tensor may be called, by those that are there; most are wrong.

    Args:
        new: What a module calls it.
        names: Those that the file has, of other layers, or a weight where it is a bias.
    """
    numbers = set(re.findall(NUMBER, new))
    for name in names:
        stem, _, last = name.rpartition(".")
        if last in OTHER:
            yield f"{stem}.{OTHER[last]}"
        for place in re.finditer(NUMBER, name):
            yield from (name[: place.start()] + n + name[place.end() :] for n in numbers)


def backwards(new: str, prefixes: Sequence[str], rename: Mapping[str, str]) -> Iterator[str]:
    """What a tensor may be called before it was renamed; most are wrong.

    Args:
        new: What a module calls it.
        prefixes: What may stand before a name.
        rename: Regular expressions and replacements, in the order in which they apply.
    """
    found = [new]
    for pattern, replacement in reversed(list(rename.items())):
        found += [
            name.replace(replacement, text, 1)
            for name, text in product(found, _texts(pattern))
            if replacement in name and text != replacement
        ]
    yield from (prefix + name for prefix, name in product((*prefixes, ""), found))


def _texts(pattern: str) -> list[str]:
    """All that a pattern matches, if it has nothing but alternatives in brackets."""
    parts = re.split(r"(\((?!\?)[^()]*\)\??)", pattern.removeprefix("^").removesuffix("$"))
    choices = [_alternatives(part) if part.startswith("(") else [part] for part in parts]
    texts = ["".join(choice) for choice in product(*choices)]
    if any(re.search(r"\\\w|(?<!\\)[\[\](){}?*+|]", text) for text in texts):
        return []
    return [re.sub(r"\\(.)", r"\1", text) for text in texts]


def _alternatives(part: str) -> list[str]:
    inner = part.removesuffix("?")[1:-1].split("|")
    return [*inner, ""] if part.endswith("?") else inner
