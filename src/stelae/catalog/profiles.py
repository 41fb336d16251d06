"""Profiles of models: which there are, what they come to, and which make sense."""

from __future__ import annotations

from msgspec.structs import replace

from stelae.catalog.entry import LONGEST_NAME, ModelEntry, check_name
from stelae.errors import InvalidInput
from stelae.types import OutputType, Profile

PLAIN = "default"
"""The profile of calls that name none."""

SEPARATORS = ":@"
"""What stands between the name of a model and that of its profile."""

NOT_BESIDE_MUVERA = ("dimensions", "normalize")

SMALLEST = {"dimensions": 1, "pool_factor": 1, "max_new_tokens": 1, "beams": 1}


def profile_of(entry: ModelEntry, name: str = PLAIN) -> Profile | None:
    """The options of a profile, those that it extends among them.

    Returns:
        ``None`` for ``default`` where the model has no profile of that name.

    Raises:
        InvalidInput: There is no such profile; the message names those that there are.
    """
    profile = entry.profiles.get(name)
    if profile is None:
        if name == PLAIN:
            return None
        raise InvalidInput(
            f"profile={name[:LONGEST_NAME]!r}: model {entry.name!r} has no such profile; it has "
            f"{', '.join(dict.fromkeys((PLAIN, *entry.profiles)))}",
            param="model",
        )
    if profile.extends is None:
        return profile
    below = entry.profiles.get(profile.extends, Profile())
    return replace(over(profile, below), extends=None)


def profiles_of(entry: ModelEntry) -> dict[str, Profile]:
    """What each profile of a model comes to, by name."""
    found = {name: profile_of(entry, name) for name in entry.profiles}
    return {name: profile for name, profile in found.items() if profile is not None}


def over(profile: Profile, below: Profile) -> Profile:
    """A profile whose open options are those of another, where they go with its own."""
    given = {name: getattr(profile, name) for name in profile.__struct_fields__}
    if profile.muvera is not None:
        below = replace(below, **dict.fromkeys(NOT_BESIDE_MUVERA))
    elif any(given[name] is not None for name in NOT_BESIDE_MUVERA):
        below = replace(below, muvera=None)
    return replace(below, **{name: value for name, value in given.items() if value is not None})


def check_profiles(entry: ModelEntry) -> None:
    """Refuse profiles that cannot be asked for, or ask for what makes no sense.

    Raises:
        InvalidInput: Which profile, and why.
    """
    for name, profile in entry.profiles.items():
        place = f"profiles.{name}"
        check_name(name, "profile", "profiles")
        if any(sign in name for sign in SEPARATORS):
            raise InvalidInput(f"{place}: the name of a profile has no : or @", param="profiles")
        _check_extends(entry, profile, f"{place}.extends")
    for name, profile in profiles_of(entry).items():
        _check_options(entry, profile, f"profiles.{name}")


def _check_extends(entry: ModelEntry, profile: Profile, place: str) -> None:
    parent = profile.extends
    if parent is None or (parent == PLAIN and PLAIN not in entry.profiles):
        return
    if parent not in entry.profiles:
        known = ", ".join(entry.profiles)
        raise InvalidInput(
            f"{place}={parent!r}: model {entry.name!r} has no such profile; it has {known}",
            param="profiles",
        )
    if entry.profiles[parent].extends is not None:
        raise InvalidInput(
            f"{place}={parent!r}: that profile extends another itself; only one level is allowed",
            param="profiles",
            hint="write the options of both into it",
        )


def _check_options(entry: ModelEntry, profile: Profile, place: str) -> None:
    for name, least in SMALLEST.items():
        value = getattr(profile, name)
        if value is not None and value < least:
            raise _wrong(f"{place}.{name}={value}: {least} or more was expected")
    if profile.outputs is not None and not profile.outputs:
        raise _wrong(f"{place}.outputs is empty: name at least one, or leave it out")
    if profile.threshold is not None and not 0 <= profile.threshold <= 1:
        raise _wrong(f"{place}.threshold={profile.threshold}: 0 to 1 was expected")
    for name in ("query_template", "doc_template"):
        template = getattr(profile, name)
        if template is not None and "{text}" not in template:
            raise _wrong(f"{place}.{name}={template!r}: a template needs a place {{text}}")
    if profile.lora is not None and profile.lora not in entry.loras:
        raise _wrong(
            f"{place}.lora={profile.lora!r}: the model has no such adapter; "
            f"it has {', '.join(entry.loras) or 'none'}"
        )
    _check_muvera(profile, place)


def _check_muvera(profile: Profile, place: str) -> None:
    if profile.muvera is None:
        return
    for name in NOT_BESIDE_MUVERA:
        if getattr(profile, name) is not None:
            raise _wrong(
                f"{place} sets {name} and muvera; the width is muvera.dimensions, and its "
                "vectors keep their length"
            )
    if profile.outputs is not None and OutputType.DENSE not in profile.outputs:
        raise _wrong(f"{place} sets muvera, which makes dense vectors: add dense to its outputs")


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(message, param="profiles")
