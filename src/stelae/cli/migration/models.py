"""One model file of SIE, as models of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stelae.catalog.entry import check_name
from stelae.catalog.hub import is_hub_id
from stelae.catalog.profiles import PLAIN
from stelae.cli.migration.files import AdapterOptions, SieModel, SieProfile, read, shaped
from stelae.cli.migration.options import LENGTH, profile_fields
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype

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
    if given is None or given in set(ComputeDtype):
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


def models_of(found: Reading, taken: set[str]) -> dict[str, dict[str, Any]]:
    """The models of a file by name: itself, and a profile for which it is loaded otherwise.

    Args:
        found: What the file holds.
        taken: Names that cannot be an alias, for others have them.

    Raises:
        InvalidInput: It does not say where the weights are.
    """
    model = found.model
    source = _source(found)
    if source is None:
        return {}
    name, plain = model.sie_id, _loading(found, PLAIN)
    alias = model.hf_id if model.hf_id not in {None, name, *taken} else None
    whole = plain.over(Loading(max_tokens=model.max_sequence_length))
    apart = _apart(found, whole)
    made = {name: _entry(source, [alias] if alias else [], whole, _within(found, apart))}
    for profile, loading in apart.items():
        heads = [f"{name}@", *([f"{alias}:", f"{alias}@"] if alias else [])]
        own = {PLAIN: _merged(found, profile)}
        aliases = [head + profile for head in heads]
        made[f"{name}:{profile}"] = _entry(source, aliases, loading, own)
    return made


def _source(found: Reading) -> dict[str, Any] | None:
    """Where the weights are; ``None`` if they are in a package."""
    model, path = found.model, found.model.weights_path
    if path is not None and "://" in path:
        found.leave("weights_path", "weights are read from folders and from the hub")
        path = None
    if path is not None:
        if model.hf_revision is not None:
            found.leave("hf_revision", "weights_path is a folder, which has no revisions")
        beside = found.file.parent / path
        return {"source": str(beside.absolute() if beside.is_dir() else path)}
    if model.package_backed:
        found.leave("package_backed", "weights are not taken out of packages")
    if model.hf_id is None:
        if model.package_backed:
            found.leave("sie_id", f"the model {model.sie_id} is left out, for want of weights")
            return None
        raise found.wrong("hf_id", "it is missing, and there is no folder as weights_path")
    if not is_hub_id(model.hf_id):
        raise found.wrong("hf_id", f"{model.hf_id[:128]!r} is no hub id, as ORG/NAME")
    revision = {} if model.hf_revision is None else {"revision": model.hf_revision}
    return {"source": model.hf_id, **revision}


def _apart(found: Reading, plain: Loading) -> dict[str, Loading]:
    """Profiles whose model is loaded otherwise, and how."""
    apart: dict[str, Loading] = {}
    for name in found.loading:
        whole = _loading(found, name).over(plain)
        if name != PLAIN and whole != plain:
            apart[name] = whole
    return apart


def _loading(found: Reading, name: str) -> Loading:
    """How a profile is loaded, the one that it extends included."""
    parent = found.extends.get(name) or ""
    own, below = (found.loading.get(one, Loading()) for one in (name, parent))
    return own.over(below)


def _within(found: Reading, apart: dict[str, Loading]) -> dict[str, dict[str, Any]]:
    """Profiles of the model as it is; those that extend one that is apart stand alone."""
    kept: dict[str, dict[str, Any]] = {}
    for name, fields in found.options.items():
        if name in apart:
            continue
        parent = found.extends[name]
        if parent is None:
            kept[name] = fields
        elif parent in apart:
            kept[name] = _merged(found, name)
        else:
            kept[name] = {"extends": parent, **fields}
    return kept


def _merged(found: Reading, name: str) -> dict[str, Any]:
    """The options of a profile, those that it extends among them."""
    parent = found.extends[name]
    return {**found.options.get(parent or "", {}), **found.options[name]}


def _entry(
    source: dict[str, Any],
    aliases: list[str],
    loading: Loading,
    profiles: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    entry: dict[str, Any] = {**source}
    if aliases:
        entry["aliases"] = aliases
    entry |= loading.fields()
    loras = {fields["lora"]: fields["lora"] for fields in profiles.values() if "lora" in fields}
    if loras:
        entry["loras"] = loras
    if profiles := {name: fields for name, fields in profiles.items() if fields or name != PLAIN}:
        entry["profiles"] = profiles
    return entry
