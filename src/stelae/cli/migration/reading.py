"""What one model file of SIE says: its options by profile, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stelae.catalog.entry import check_name
from stelae.catalog.profiles import PLAIN
from stelae.cli.migration.files import AdapterOptions, SieModel, SieProfile, read, shaped
from stelae.cli.migration.options import LENGTH, profile_fields
from stelae.engines.base import EVERYWHERE
from stelae.errors import InvalidInput

FROM_CHECKPOINT = "the checkpoint says it"
NOT_A_KEY = "no key of a model file that is known here"

HARMLESS = {
    "inputs": FROM_CHECKPOINT,
    "tasks": FROM_CHECKPOINT,
    "adapter_path": "the engine is chosen by the checkpoint",
    "adaptive_batching": "batches are made of what waits",
}
"""Keys that are not needed here, and why."""


@dataclass(frozen=True, slots=True)
class Left:
    """A key that was not taken over.

    Attributes:
        file: Where it stands.
        key: Its name, with those it is under.
        reason: Why.
        harmless: Whether nothing is lost without it.
    """

    file: Path
    key: str
    reason: str
    harmless: bool = False


@dataclass(slots=True)
class Loading:
    """How a profile wants its model loaded.

    Attributes:
        dtype: Number format to compute in.
        batch_tokens: Most tokens of a batch.
        max_tokens: Longest input.
    """

    dtype: str | None = None
    batch_tokens: int | None = None
    max_tokens: int | None = None

    def over(self, below: Loading) -> Loading:
        """The same with what is open as below."""
        return Loading(
            self.dtype or below.dtype,
            self.batch_tokens or below.batch_tokens,
            self.max_tokens or below.max_tokens,
        )

    def fields(self) -> dict[str, Any]:
        """As a model of the configuration has them."""
        names = ("dtype", "batch_tokens", "max_tokens")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(slots=True)
class Reading:
    """What was found in one file.

    Attributes:
        file: Which.
        model: The model in it.
        left: Keys that were not taken over.
        options: What profiles say of calls, by their names.
        loading: What they say of loading.
        extends: Which profile they extend.
    """

    file: Path
    model: SieModel
    left: list[Left] = field(default_factory=list)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    loading: dict[str, Loading] = field(default_factory=dict)
    extends: dict[str, str | None] = field(default_factory=dict)

    def leave(self, key: str, reason: str | None = None) -> None:
        """Note that a key is not taken over."""
        harmless = HARMLESS.get(key.rpartition(".")[2]) if reason is None else None
        self.left.append(
            Left(self.file, key, reason or harmless or NOT_A_KEY, harmless=harmless is not None)
        )

    def wrong(self, key: str, fault: str) -> InvalidInput:
        """The error of a key whose value cannot be."""
        return InvalidInput(f"{self.file}: {key}: {fault}")


def reading_of(file: Path) -> Reading:
    """Read the model of a file.

    Raises:
        InvalidInput: It is none; names the file and the key.
    """
    model, unknown = shaped(read(file), SieModel, str(file))
    found = Reading(file, model)
    for key in unknown:
        found.leave(key)
    for key in ("inputs", "tasks"):
        if getattr(model, key) is not None:
            found.leave(key)
    try:
        check_name(model.sie_id, param="sie_id")
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.message}") from error
    for name, given in (model.profiles or {}).items():
        _read_profile(found, str(name), given)
    _check_extends(found)
    return found


def _read_profile(found: Reading, name: str, given: Any) -> None:
    place = f"profiles.{name}"
    profile, unknown = shaped(given, SieProfile, f"{found.file}: {place}")
    options, unknown_options = shaped(
        profile.adapter_options, AdapterOptions, f"{found.file}: {place}.adapter_options"
    )
    for key in unknown:
        found.leave(f"{place}.{key}")
    for key in unknown_options:
        found.leave(f"{place}.adapter_options.{key}")
    for key in ("adapter_path", "adaptive_batching"):
        if getattr(profile, key) is not None:
            found.leave(f"{place}.{key}")
    under = f"{place}.adapter_options"
    fields, length, left = profile_fields(options.runtime or {}, f"{found.file}: {under}.runtime")
    for key, reason in left.items():
        found.leave(f"{under}.runtime.{key}", reason)
    found.options[name], found.extends[name] = fields, profile.extends
    found.loading[name] = Loading(
        _dtype(found, profile.compute_precision, f"{place}.compute_precision"),
        profile.max_batch_tokens,
        _loadtime(found, options.loadtime or {}, f"{under}.loadtime") or length,
    )


def _loadtime(found: Reading, given: dict[str, Any], place: str) -> int | None:
    """The longest input; all else is said by the checkpoint."""
    length = given.get(LENGTH)
    if length is not None and (type(length) is not int or length < 1):
        raise found.wrong(f"{place}.{LENGTH}", f"{length!r} is no number of tokens")
    for key in given:
        if key != LENGTH:
            found.leave(f"{place}.{key}", "how it is run is decided by checkpoint and engine")
    return length


def _dtype(found: Reading, given: str | None, key: str) -> str | None:
    if given is None or given in EVERYWHERE:
        return given
    found.leave(key, f"{given[:32]} is not computed in; the fastest faithful format is taken")
    return None


def _check_extends(found: Reading) -> None:
    for name, parent in found.extends.items():
        if parent is None:
            continue
        key = f"profiles.{name}.extends"
        if parent not in found.extends and parent != PLAIN:
            raise found.wrong(key, f"there is no profile {parent!r}")
        if found.extends.get(parent) is not None:
            raise found.wrong(key, f"{parent!r} extends another itself; one level is allowed")
