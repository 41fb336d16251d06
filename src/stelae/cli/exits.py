"""Exit codes: the one place where an error becomes a number and two lines of text."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from stelae.errors import (
    InvalidInput,
    ModelNotFound,
    NoReference,
    ServerUnreachable,
    StelaeError,
    Unauthorized,
)

OK = 0
FAILURE = 1
USAGE = 2
UNREACHABLE = 3
MODEL_MISSING = 4
NOT_COMPARED = 5
INTERRUPTED = 130

LOGIN = "'stelae login' keeps the key of a server for these commands"

EPILOG = (
    "Exit codes: 0 success, 1 failure, 2 wrong usage, 3 server unreachable, "
    "4 no such model, 5 not everything was compared (verify), 130 interrupted. "
    "Data goes to stdout, all else to stderr."
)


def code_of(error: StelaeError) -> int:
    """The exit code of an error.

    An ``InvalidInput`` that names an argument is wrong usage; one that does not
    (a broken file) is a failure.
    """
    match error:
        case ServerUnreachable():
            return UNREACHABLE
        case ModelNotFound():
            return MODEL_MISSING
        case NoReference():
            return NOT_COMPARED
        case InvalidInput(param=str()):
            return USAGE
        case _:
            return FAILURE


def hint_of(error: StelaeError) -> str | None:
    """How an error is mended: a server that wants a key does not know that a command asks it."""
    if isinstance(error, Unauthorized) and "header" in (error.hint or "header"):
        return "; ".join(filter(None, (error.hint, LOGIN)))
    return error.hint


def tell(message: str, hint: str | None = None) -> None:
    """Print an error, and how to mend it, on stderr."""
    sys.stderr.write(f"error: {message}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn the errors that a command raises into lines on stderr and an exit code.

    With ``debug`` they pass through, traceback and all. A pipe closed by its
    reader is left to typer, which ends in silence.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except StelaeError as error:
        if debug:
            raise
        tell(error.message, hint_of(error))
        raise typer.Exit(code_of(error)) from error
    except OSError as error:
        if debug or error.errno == errno.EPIPE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        tell(f"{where}{error.strerror or error}")
        raise typer.Exit(FAILURE) from error
