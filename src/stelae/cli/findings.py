"""What a look at this machine finds: values, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from rich.text import Text

from stelae.cli.output import Output


class Status(StrEnum):
    """What a finding means."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    MISSING = "missing"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at.

    Attributes:
        section: Heading it stands under.
        name: What was looked at.
        status: What it means; ``missing`` is what serving cannot do without.
        found: What is there.
        hint: What to do about it.
    """

    section: str
    name: str
    status: Status
    found: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Makes findings under one heading."""

    name: str

    def ok(self, name: str, found: str) -> Finding:
        """As it should be."""
        return Finding(section=self.name, name=name, status=Status.OK, found=found)

    def note(self, name: str, found: str, hint: str | None = None) -> Finding:
        """Good to know, nothing to do."""
        return Finding(section=self.name, name=name, status=Status.NOTE, found=found, hint=hint)

    def warning(self, name: str, found: str, hint: str | None = None) -> Finding:
        """It works, but not as well as it could."""
        return Finding(section=self.name, name=name, status=Status.WARNING, found=found, hint=hint)

    def missing(self, name: str, found: str, hint: str | None = None) -> Finding:
        """Serving does not work without it."""
        return Finding(section=self.name, name=name, status=Status.MISSING, found=found, hint=hint)


def show(findings: Iterable[Finding], out: Output) -> None:
    """Print findings under their headings, hints below what they are for."""
    rows: list[tuple[Any, ...]] = []
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            rows.append((Text(section, style="bold"), "", ""))
        rows.append((f"  {finding.name}", finding.status.value, finding.found))
        if finding.hint:
            rows.append(("", "", Text(f"→ {finding.hint}", style="cyan")))
    out.grid(rows)


def summary(good: bool, bad: list[Finding]) -> str:
    """The last line."""
    if not good:
        return "Something is missing that serving needs; see the arrows above."
    return f"Ready to serve, with {len(bad)} to look at." if bad else "Ready to serve."
