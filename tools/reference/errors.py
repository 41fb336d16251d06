"""Errors: codes, statuses, what the client does with them."""

from __future__ import annotations

from reference.markdown import block, code, first_line, joined, table
from stelae import errors
from stelae.cli.exits import code_of
from stelae.client._retry import FAILED, REFUSED
from stelae.dialects.openai.convert import CODES
from stelae.errors import BY_CODE, StelaeError

INTRODUCTION = """
Every failure has a code that stays the same, whatever the words of its message: in Python it is
`error.code` of a class in `stelae.errors`, over HTTP `error.code` of the body and the header
`X-Stelae-Error-Code`. Where OpenAI's protocol has a name of its own, its body carries that one.

*Sent again* tells what `stelae.Client` does by itself: *waits* for as long as the deadline allows,
since nothing was done; *retries* a few times; or reports the error at once. *Exit* is the exit code
of a command that ends with the error; an `invalid_input` that names no argument (a broken file)
exits with 1.
"""


def page() -> str:
    """The tree, and one row per error."""
    head = ("code", "class", "status", "sent again", "OpenAI's code", "exit", "meaning")
    return joined("# Errors", INTRODUCTION, block(tree()), table(head, map(row, BY_CODE.values())))


def tree() -> str:
    """The drawing at the top of ``errors.py``."""
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line.removeprefix("    ") for line in lines if line.startswith("    ")]
    return "\n".join(drawn).replace("``", "")


def row(kind: type[StelaeError]) -> tuple[str, ...]:
    """One error."""
    return (
        code(kind.code),
        code(kind.__name__),
        str(kind.status),
        again(kind.code),
        code(CODES.get(kind.code, "")),
        str(code_of(kind("", param="any"))),
        first_line(kind),
    )


def again(name: str) -> str:
    """What the client does with an error."""
    if name in REFUSED:
        return "waits"
    return "retries" if name in FAILED else ""
