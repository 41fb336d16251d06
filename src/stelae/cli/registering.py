"""What can be launched by name: listed, registered, taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stelae.cli import kinds, reach
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.cli.reach import Where
from stelae.cli.sheets import sheet
from stelae.errors import InvalidInput
from stelae.types import Card, ModelKind, Registration


def show(word: str, where: Where | None, out: Output) -> None:
    """List the models of a type.

    Args:
        word: The type.
        where: The server; ``None`` for the catalog of this machine.
        out: Says things.

    Raises:
        InvalidInput: There is no such type.
        ServerUnreachable: No server answers there.
    """
    kind = kinds.kind_of(word)
    found = _here(kind) if where is None else _there(kind, where)
    if out.json:
        out.document(msgspec.to_builtins(found))
        return
    for line in sheet(kinds.headings(kind), kinds.rows(kind, found)):
        out.line(line)


def register(file: Path, word: str | None, where: Where, out: Output, *, persist: bool) -> None:
    """Make a model known by a name of its own.

    Args:
        file: What it is, as JSON.
        word: The type, for documents of Xinference, which do not say it.
        where: The server.
        out: Says things.
        persist: Whether it outlives the server.

    Raises:
        InvalidInput: The document makes no sense.
        Conflict: The name is taken.
    """
    registration = registration_in(file.read_bytes(), word)
    with reach.connect(*where, timeout=60.0) as client:
        card = client.register_model(registration, persist=persist)
    if out.json:
        out.document(msgspec.to_builtins(card))
    else:
        out.note(f"{card.name} is registered; 'stelae launch {card.name}' launches it")


def registration_in(data: bytes, word: str | None) -> Registration:
    """A registration as it is written in a file.

    Args:
        data: A JSON object with the fields of ``Registration``, or a document of Xinference.
        word: The type, for the latter.

    Raises:
        InvalidInput: It is neither; the message names the field.
    """
    try:
        written = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the file is not JSON: {error}") from error
    if isinstance(written, dict) and "model_name" in written:
        return _of_xinference(data, word)
    if word is not None and isinstance(written, dict):
        written.setdefault("kind", kinds.kind_of(word))
    try:
        return msgspec.convert(written, Registration)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the file is no registration: {error}") from error


def unregister(name: str, where: Where, out: Output) -> None:
    """Take a registration back.

    Raises:
        ModelNotFound: Nobody registered that name.
        Forbidden: It is a well-known model.
    """
    with reach.connect(*where, timeout=60.0) as client:
        gone = client.unregister_model(name)
    if out.json:
        out.document(msgspec.to_builtins(gone))
    else:
        out.note(f"{gone.name} is not registered any more")


def _of_xinference(data: bytes, word: str | None) -> Registration:
    need("a document of Xinference", "starlette", "pydantic_settings", extra="server")
    from stelae.dialects.xinference.documents import registration_of

    if word is None:
        raise InvalidInput(
            "a document of Xinference does not say what the model is for",
            param="type",
            hint=f"give --type with one of {', '.join(kinds.TYPES.values())}",
        )
    kind = kinds.kind_of(word)
    theirs: dict[ModelKind, str] = {"llm": "LLM", "extract": "flexible"}
    return registration_of(theirs.get(kind, kind), data.decode())


def _here(kind: ModelKind) -> list[Card]:
    from stelae.catalog.families import listed  # its packages are not those of a client alone

    return listed(kind)


def _there(kind: ModelKind, where: Where) -> list[Card]:
    with reach.connect(*where, timeout=60.0) as client:
        return client.cards(kind)
