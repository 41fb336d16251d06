"""The doctor: what serving needs decides the exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from stelae.cli import checkup, machine
from stelae.cli.app import app
from stelae.cli.checkup import Finding, Section, Status


def lacking(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    there = machine.installed
    monkeypatch.setattr(machine, "installed", lambda name: None if name in names else there(name))


def of(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_missing_server_package_is_missing_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking(monkeypatch, "starlette", "pyarrow")
    found = list(checkup.packages())
    server, parquet = of(found, "stelae[server]"), of(found, "stelae[parquet]")
    assert (server.status, server.found) == (Status.MISSING, "lacks starlette")
    assert server.hint == "pip install 'stelae[server]'"
    assert (parquet.status, parquet.found) == (Status.NOTE, "lacks pyarrow")


def test_without_torch_there_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, "torch")
    assert [f.status for f in checkup.path(None, None)] == [Status.MISSING]


@pytest.mark.parametrize("missing", [False, True])
def test_exit_code_says_whether_serving_works(
    monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    here = Section("Here")
    found = [here.ok("a", "fine"), here.warning("b", "slow", "buy another")]
    found += [here.missing("c", "gone", "bring it")] if missing else []
    monkeypatch.setattr(checkup, "hardware", lambda: found)
    monkeypatch.setattr(checkup, "packages", list)
    monkeypatch.setattr(checkup, "path", lambda model, config: [])
    monkeypatch.setattr(checkup, "surroundings", lambda config: [])
    shown = CliRunner().invoke(app, ["doctor", "--json"])
    document = json.loads(shown.stdout)
    assert shown.exit_code == int(missing)
    assert document["ok"] is not missing
    assert document["findings"][1] == {
        "section": "Here",
        "name": "b",
        "status": "warning",
        "found": "slow",
        "hint": "buy another",
    }
    quiet = CliRunner().invoke(app, ["doctor", "--quiet"]).stdout
    assert "slow" in quiet
    assert "→ buy another" in quiet
    assert "fine" not in quiet


@pytest.mark.parametrize(
    ("wanted", "feature", "text"),
    [
        ("float32", "amx_bf16", "float32, as configured"),
        ("auto", "amx_bf16", "auto means bfloat16: this processor has amx_bf16"),
        ("auto", None, "auto means float32: this processor has no bfloat16"),
    ],
)
def test_number_format_is_explained(
    monkeypatch: pytest.MonkeyPatch, wanted: str, feature: str | None, text: str
) -> None:
    monkeypatch.setattr("stelae.engines.hardware.bfloat16_feature", lambda: feature)
    monkeypatch.setattr(machine, "gpus", list)
    assert checkup.dtype(wanted).startswith(text)


def test_ports_that_are_taken_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "port_free", lambda port: port != 8080)
    found = list(checkup.surroundings(None))
    assert of(found, "port 8080").status is Status.WARNING
    assert of(found, "port 9997").status is Status.OK
