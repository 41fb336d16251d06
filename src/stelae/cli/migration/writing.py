"""What ``stelae migrate`` writes, and what it says of the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stelae.cli.migration.files import ENDINGS
from stelae.cli.migration.reading import Left
from stelae.cli.output import Output
from stelae.errors import InvalidInput

PROFILE = re.compile(r"^profiles\.(?:[^.]*)\.")


def check_free(output: Path) -> None:
    """Refuse to write where something is.

    Raises:
        InvalidInput: The name is taken, or is not one of a YAML file.
    """
    if output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"'{output}': the name must end in .yaml", param="--output")
    if output.exists():
        raise InvalidInput(
            f"'{output}' is there already; give another name, or remove it", param="--output"
        )


def written(settings: dict[str, Any], left: Iterable[Left], origin: str) -> str:
    """The configuration file.

    Args:
        settings: What it says.
        left: What is not in it.
        origin: Who wrote it, from what.
    """
    import yaml

    said = [f"  {one.file.name}: {one.key}: {one.reason}" for one in left]
    lines = [f"Written by {origin}.", *(["Not taken over:", *said] if said else [])]
    comments = "".join(f"# {' '.join(line.splitlines())}\n" for line in lines)
    return comments + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)


def write(output: Path, text: str) -> None:
    """Write a new file.

    Raises:
        InvalidInput: It cannot be written.
    """
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise InvalidInput(f"'{output}' cannot be written: {error}") from error


def tell(left: Iterable[Left], out: Output) -> None:
    """Say what was left, each kind once."""
    kinds = Counter((PROFILE.sub("profiles.*.", one.key), one.reason, one.harmless) for one in left)
    for (key, reason, harmless), times in kinds.items():
        text = f"not taken over: {key} ({count(times, 'time')}): {reason}"
        if harmless:
            out.note(text)
        else:
            out.warn(text)


def left_out(left: Iterable[Left]) -> list[dict[str, Any]]:
    """What was left, for programs."""
    return [
        {"file": str(x.file), "key": x.key, "reason": x.reason, "harmless": x.harmless}
        for x in left
    ]


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
