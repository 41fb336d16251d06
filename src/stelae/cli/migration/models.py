"""One model file of SIE, as models of the configuration."""

from __future__ import annotations

from typing import Any

from stelae.catalog.hub import is_hub_id
from stelae.catalog.profiles import PLAIN
from stelae.cli.migration.reading import Loading, Reading


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
