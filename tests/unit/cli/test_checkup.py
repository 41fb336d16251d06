"""The doctor: what serving needs decides the exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from stelae.cli import checkup, machine
from stelae.cli.app import app
from stelae.cli.findings import Finding, Section, Status


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


def test_without_torch_nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    there = checkup.find_spec
    monkeypatch.setattr(checkup, "find_spec", lambda n: None if n == "torch" else there(n))
    (found,) = checkup.path(None, None)
    assert (found.status, found.hint) == (Status.MISSING, "pip install 'stelae[server]'")


def test_broken_torch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "TORCH_PROBE", "raise ImportError('libtorch.so is gone')")
    (found,) = checkup.computing("auto", None)
    assert found.status is Status.MISSING
    assert "libtorch.so is gone" in found.found


def test_torch_that_does_not_see_the_gpu_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"version": "2", "cuda": False, "device": "cpu", "dtype": "float32: because"}
    monkeypatch.setattr(checkup, "TORCH_PROBE", f"print({json.dumps(facts)!r})")
    monkeypatch.setattr(machine, "gpus", lambda: [machine.Gpu("Tesla T4", 15360, "535.1")])
    found = list(checkup.computing("auto", None))
    assert [f.status for f in found] == [Status.WARNING, Status.OK, Status.OK]
    assert of(found, "dtype").found == "float32: because"


@pytest.mark.slow
def test_number_format_asked_for_is_taken() -> None:
    found = list(checkup.computing("float32", "cpu"))
    assert of(found, "device").found == "cpu"
    assert of(found, "dtype").found == "float32: asked for"


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


def test_ports_that_are_taken_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "port_free", lambda port: port != 8080)
    found = list(checkup.surroundings(None))
    assert of(found, "port 8080").status is Status.WARNING
    assert of(found, "port 9997").status is Status.OK
