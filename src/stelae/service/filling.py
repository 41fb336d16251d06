"""Calls with what they leave open filled in from a profile; what a caller says counts more."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from stelae.service.checks import AnyCall
from stelae.types import EncodeCall, Item, OutputType, Profile, Role

OPEN: tuple[Any, ...] = (None, ())
"""Values of fields that a caller left open."""

PLACES = re.compile(r"\{(text|instruction)\}")


def filled(call: AnyCall, profile: Profile | None) -> AnyCall:
    """The call with the options of a profile where it has none of its own."""
    if profile is None:
        return call
    given = {name: getattr(profile, name) for name in profile.__struct_fields__}
    fields = {
        name: value
        for name, value in given.items()
        if value is not None and getattr(call, name, value) in OPEN
    }
    if isinstance(call, EncodeCall):
        fields = _apt(fields, call)
        fields |= _in_template(call, profile, fields.get("instruction", call.instruction))
    return replace(call, **fields)


def _apt(fields: dict[str, Any], call: EncodeCall) -> dict[str, Any]:
    """Options that go with what the caller says."""
    kinds = fields.get("outputs") or call.kinds
    unapt: set[str] = set()
    if OutputType.DENSE not in kinds:
        unapt |= {"muvera", "dimensions", "normalize"}
    if call.muvera is not None:
        unapt |= {"dimensions", "normalize"}
    if call.dimensions is not None or call.normalize is not None:
        unapt |= {"muvera"}
    if call.prompt is not None or call.prompt_name is not None:
        unapt |= {"instruction"}
    if set(kinds) == {OutputType.SPARSE} and not fields.get("dtype", call.format).floating:
        unapt |= {"dtype"}
    apt = {name: value for name, value in fields.items() if name not in unapt}
    if OutputType.MULTIVECTOR not in kinds and not (call.muvera or apt.get("muvera")):
        apt.pop("pool_factor", None)
    return apt


def _in_template(call: EncodeCall, profile: Profile, instruction: str | None) -> dict[str, Any]:
    """What changes if texts are put into the profile's template; a caller's prompt counts more.

    A template without a place for an instruction gives way to one that the caller gives.
    """
    query = call.role is Role.QUERY
    template = profile.query_template if query else profile.doc_template
    if template is None or call.prompt is not None or call.prompt_name is not None:
        return {}
    if call.instruction is not None and "{instruction}" not in template:
        return {}
    items = [_put(item, template, instruction or "") for item in call.items]
    return {"items": items, "prompt": "", "instruction": None}


def _put(item: Item, template: str, instruction: str) -> Item:
    if type(item) is not Item or type(item.text) is not str:
        return item  # no text; whether it is an item at all is checked afterwards
    parts = {"text": item.text, "instruction": instruction}
    return replace(item, text=PLACES.sub(lambda place: parts[place[1]], template))
