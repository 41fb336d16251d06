"""Settings: names, variables, types, defaults and meanings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reference.markdown import block, code, joined, prose, table
from reference.schemas import words
from stelae.config import CLIENT_VARIABLES, ENV_PREFIX, schema

INTRODUCTION = f"""
A flag counts more than a variable, a variable more than the file given with `--config`, and the
file more than the default. The file is TOML or YAML with the names below; a variable is
`{ENV_PREFIX}` and the name in capitals, with `__` where the name has a dot. Sizes may have a unit
(`64MiB`); lists in variables are separated by commas. An unknown name is an error that names the
nearest one. `stelae config show` prints what is in force and where it comes from,
`stelae config schema` the JSON Schema of the file.
"""

EXAMPLE = """
listen = ["http://127.0.0.1:8080"]

[limits]
body_bytes = "32MiB"

[models."minilm-short"]
source = "embedded"
max_tokens = 128
preload = true
"""

GROUPS = {
    "ModelSettings": ("Of a model", "Each under `models.NAME`; `NAME` is what it is served as."),
    "ProfileSettings": ("Of a profile", "Each under `models.NAME.profiles.PROFILE`."),
    "MuveraSettings": ("Of MUVERA", "Each under `muvera` of a profile."),
}
"""Groups of which there are several, and where they stand."""

UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def page() -> str:
    """Every setting, and the variables that the client reads."""
    whole = schema()
    head = ("setting", "variable", "type", "default", "meaning")
    return joined(
        "# Settings",
        INTRODUCTION,
        block(EXAMPLE.strip(), "toml"),
        "## Of the server",
        table(head, (row(name, field, whole) for name, field in leaves(whole))),
        *(part for name in GROUPS for part in group(name, whole)),
        "## Of the client",
        "The command line reads these; a script passes their values to `stelae.Client`.",
        table(("variable", "meaning"), ((code(n), CLIENT[n]) for n in sorted(CLIENT_VARIABLES))),
    )


CLIENT = {
    f"{ENV_PREFIX}URL": "Address of the server, for every command that talks to one.",
    f"{ENV_PREFIX}API_KEY": "Key to show to the server.",
}


def leaves(whole: dict[str, Any], part: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted name; groups are walked into."""
    for name, field in (part or whole)["properties"].items():
        group = whole["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
        if "properties" in group:
            yield from leaves(whole, group, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def row(name: str, field: dict[str, Any], whole: dict[str, Any]) -> tuple[str, ...]:
    """One setting of the server."""
    variable = ENV_PREFIX + name.upper().replace(".", "__")
    return code(name), code(variable), *told(name, field, whole)


def group(name: str, whole: dict[str, Any]) -> tuple[str, str, str]:
    """The settings of a group of which there are several."""
    title, place = GROUPS[name]
    fields = whole["$defs"][name]["properties"].items()
    rows = ((code(name), *told(name, field, whole)) for name, field in fields)
    return f"## {title}", place, table(("setting", "type", "default", "meaning"), rows)


def told(name: str, field: dict[str, Any], whole: dict[str, Any]) -> tuple[str, str, str]:
    """Type, default and meaning."""
    size = name.endswith("_bytes")
    kind = "size" if size else words(field, lambda ref: named(ref, whole))
    return kind, default(field.get("default"), size=size), prose(field.get("description", ""))


def named(name: str, whole: dict[str, Any]) -> str:
    """A named type: its words, or where its fields are described."""
    if "enum" in (kind := whole["$defs"][name]):
        return words(kind, str)
    title = GROUPS[name][0]
    return f"[{title.split()[-1]}](#{title.lower().replace(' ', '-')})"


def default(value: Any, *, size: bool) -> str:
    """A default as one would write it."""
    match value:
        case None | {} | []:
            return ""
        case bool():
            return code("true" if value else "false")
        case int() if size:
            factor, unit = next((f, u) for f, u in UNITS if value % f == 0)
            return code(f"{value // factor}{unit}")
        case float():
            return code(f"{value:g}")
        case _:
            return code(value)
