"""Pages of ``docs/compatibility``: what a real client finds on a server, a check each row.

The checks are functions ``check_...`` of ``checks.py`` and ``checks_....py`` in a folder; their
docstrings are the rows, and they run in the client's own environment (``tools/clients.py``).
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import clients
import pytest
from repo import ROOT

DRIVER = ROOT / "tests" / "contract" / "driver.py"
RECORD = os.environ.get("STELAE_COMPATIBILITY") == "record"

Faults = dict[str, str | None]
"""What is wrong by check; nothing, a fault, or ``skip: `` and why the client cannot do it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        folder: Where its checks are.
        file: Where it is written.
        text: What it says, with ``{table}``.
        columns: Versions of the client, in order.
        absent: What is said of what a version cannot do.
    """

    folder: Path
    file: Path
    text: str
    columns: Sequence[str]
    absent: str = "no such call"

    def rows(self) -> dict[str, str]:
        """What each check is about, by its name."""
        files = sorted(self.folder.glob("checks*.py"))
        return {
            node.name: ast.get_docstring(node) or node.name
            for file in files
            for node in ast.parse(file.read_text("utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("check_")
        }

    async def check(
        self,
        column: str,
        environment: str,
        *addresses: str,
        variables: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Run all checks in an environment; its column of the page must say the same."""
        try:
            python = await asyncio.to_thread(clients.python_of, environment)
        except clients.Absent as absent:
            pytest.skip(str(absent))  # no such Python, or no package index, on this machine
        driver = await asyncio.create_subprocess_exec(
            *(python, DRIVER, self.folder, *addresses),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **(variables or {})},
            cwd=cwd,
        )
        out, _ = await driver.communicate()
        assert driver.returncode == 0
        found: Faults = {row["check"]: row["fault"] for row in map(json.loads, out.splitlines())}
        rows = self.rows()
        assert found.keys() == rows.keys()
        wrong = [f"{name}: {f}" for name, f in found.items() if f and not f.startswith("skip: ")]
        assert not wrong, "\n\n".join(wrong)
        marks = {text: self.absent if found[name] else "yes" for name, text in rows.items()}
        known = self._read()
        if RECORD:
            self._write({**known, column: marks})
        else:
            assert known.get(column) == marks, "STELAE_COMPATIBILITY=record writes the table anew"

    def _read(self) -> dict[str, dict[str, str]]:
        if not self.file.exists():
            return {}
        lines = [line for line in self.file.read_text("utf-8").splitlines() if line[:1] == "|"]
        head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {
            name: {row[0]: row[place] for row in body} for place, name in enumerate(head) if place
        }

    def _write(self, columns: dict[str, dict[str, str]]) -> None:
        names = [name for name in self.columns if name in columns]
        lines = [f"| what is asked | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
        for text in self.rows().values():
            marks = [columns[name].get(text, "") for name in names]
            lines.append(f"| {text} | {' | '.join(marks)} |")
        self.file.write_text(self.text.format(table="\n".join(lines)), "utf-8")
