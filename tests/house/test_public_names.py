"""The names that programs may rely on: added on purpose, never lost by accident."""

from __future__ import annotations

from pathlib import Path

import stelae
from stelae import client, errors, types
from stelae.client import scoring

SNAPSHOT = Path(__file__).with_name("public_names.txt")


def test_public_names_are_those_on_record() -> None:
    recorded = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    found = public_names()
    assert found == recorded, (
        f"if the change is meant, edit {SNAPSHOT.name}; "
        f"gone: {sorted(set(recorded) - set(found))}, new: {sorted(set(found) - set(recorded))}"
    )


def public_names() -> list[str]:
    """Every public name, and each member of the sets of words."""
    names = [f"stelae.{name}" for name in stelae.__all__]
    names += [f"stelae.client.{name}" for name in client.__all__]
    names += [f"stelae.client.scoring.{name}" for name in scoring.__all__]
    names += [f"stelae.errors.{name}" for name in vars(errors) if _is_ours(name)]
    for name in types.__all__:
        names.append(f"stelae.types.{name}")
        members = getattr(getattr(types, name), "__members__", {})
        names += [f"stelae.types.{name}.{member}" for member in members]
    return sorted(names)


def _is_ours(name: str) -> bool:
    value = getattr(errors, name)
    made_here = getattr(value, "__module__", None) == errors.__name__
    return not name.startswith("_") and (made_here or name.isupper())
