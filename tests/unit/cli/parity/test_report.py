"""What ``stelae verify`` ends with."""

from __future__ import annotations

import json

import pytest

from stelae.cli import exits
from stelae.cli.output import Output
from stelae.cli.parity.compare import EXACT, Verdict
from stelae.cli.parity.report import Report, Row, tell
from stelae.cli.parity.values import Kind, Probe, Samples
from stelae.errors import NoReference


def row(*, ok: bool | None) -> Row:
    """A row that agrees, is apart, or was not compared."""
    probe = Probe(Kind.DENSE)
    if ok is None:
        return Row(probe=probe, tolerance=EXACT, reason="nobody makes it")
    verdict = Verdict(
        ok=ok, compared=1, difference=0.0, cosine=1.0, worst=0, failed=0, tokens_differ=0
    )
    return Row(probe=probe, tolerance=EXACT, reference="formula", verdict=verdict)


def report(*rows: Row) -> Report:
    return Report(
        model="m",
        engine="e",
        dtype="float32",
        fingerprint="f",
        samples=Samples(texts=["a"], groups=[]),
        rows=list(rows),
    )


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ((True, True), exits.OK),
        ((True, False), exits.FAILURE),
        ((None, False), exits.FAILURE),
        ((True, None), exits.NOT_COMPARED),
        ((None, None), exits.NOT_COMPARED),
    ],
)
def test_success_is_everything_compared_and_equal(rows: tuple[bool | None, ...], code: int) -> None:
    found = report(*(row(ok=ok) for ok in rows))
    assert found.code == code
    assert found.ok is (code == exits.OK)


def test_row_that_was_not_compared_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    tell(report(row(ok=True), row(ok=None)), Output(json=True, quiet=False))
    first, second = json.loads(capsys.readouterr().out)["rows"]
    assert (first["verdict"], first["reference"]) == ("ok", "formula")
    assert (second["verdict"], second["reason"]) == ("no reference", "nobody makes it")


def test_no_reference_at_all_has_the_same_code() -> None:
    assert exits.code_of(NoReference("none")) == exits.NOT_COMPARED
