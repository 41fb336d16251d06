"""Errors become exit codes and two lines of text."""

from __future__ import annotations

import errno

import pytest
import typer

from stelae.cli.exits import code_of, reported
from stelae.errors import (
    BodyTooLarge,
    Conflict,
    InvalidInput,
    MissingDependency,
    ModelNotFound,
    ProtocolError,
    ServerUnreachable,
    StelaeError,
    Unauthorized,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StelaeError("m"), 1),
        (Conflict("m"), 1),
        (MissingDependency("m"), 1),
        (InvalidInput("a broken file"), 1),
        (InvalidInput("m", param="dimensions"), 2),
        (BodyTooLarge("m", param="items"), 2),
        (ServerUnreachable("m"), 3),
        (ProtocolError("m"), 3),
        (ModelNotFound("m", param="model"), 4),
    ],
)
def test_code_of_each_class(error: StelaeError, code: int) -> None:
    assert code_of(error) == code


def test_error_and_hint_are_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reported(debug=False):
        raise ModelNotFound("no such model", hint="see stelae models")
    assert ended.value.exit_code == 4
    assert capsys.readouterr() == ("", "error: no such model\nhint: see stelae models\n")


def test_a_key_that_is_missing_is_mended_by_logging_in(capsys: pytest.CaptureFixture[str]) -> None:
    for hint in ("send the header 'Authorization: Bearer KEY'", None):
        with pytest.raises(typer.Exit), reported(debug=False):
            raise Unauthorized("no key", hint=hint)
        assert "'stelae login'" in capsys.readouterr().err
    with pytest.raises(typer.Exit), reported(debug=False):
        raise Unauthorized("the hub refused the token", hint="give a valid token of the hub")
    assert "login" not in capsys.readouterr().err


def test_file_errors_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reported(debug=False):
        raise PermissionError(errno.EACCES, "Permission denied", "/etc/out.npy")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "error: /etc/out.npy: Permission denied\n"


def test_debug_lets_errors_through() -> None:
    with pytest.raises(Conflict), reported(debug=True):
        raise Conflict("m")


def test_closed_pipe_is_left_alone() -> None:
    with pytest.raises(BrokenPipeError), reported(debug=False):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reported(debug=False):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == ""
