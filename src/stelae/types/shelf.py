"""What there is to serve models with: engines that fit, files that are here already."""

from __future__ import annotations

import msgspec

from stelae.types.card import Variant


class EngineFit(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine makes of a model.

    Attributes:
        engine: Its name.
        variants: Those variants of the model that it serves on this machine.
        reason: Why it does not serve the others, or any.
        certain: Whether the files of one variant at least were looked at; without them, the
            kind and the format decide, and a checkpoint may still be refused when it loads.
    """

    engine: str
    variants: tuple[Variant, ...] = ()
    reason: str = ""
    certain: bool = False


class CachedModel(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a model that were fetched and need not be fetched again.

    Attributes:
        version: The name by which they are removed: name, size, format and quantisation of
            the variant, or the hub id where no variant is known.
        model: The model that they belong to, or the hub id.
        source: Hub id.
        format: Format of the weights; empty where no variant is known.
        size: Billions of parameters, where models of the name differ in it.
        quantization: Quantisation; empty where no variant is known.
        path: Folder of the newest commit, or the file where one is the model.
        bytes: Size of all files on the disk.
        files: Paths of all files, without those that they link to.
        complete: Whether no download of the repository broke off.
    """

    version: str
    model: str
    source: str
    format: str = ""
    size: float | None = None
    quantization: str = ""
    path: str = ""
    bytes: int = 0
    files: tuple[str, ...] = ()
    complete: bool = True
