"""What a reranker's chat template puts around its texts.

A template is a program in the language of Jinja. Only those that place texts between
fixed words are read: their parts are looked at one by one, a part that could compute
anything at length is refused with its name, and what is left runs in Jinja's sandbox.

Source: transformers 5.17, ``utils/chat_template_utils.py``; sentence-transformers 6.0.1,
``base/modality.py``, which gives the two texts of a pair roles of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stelae.catalog.files import join, read_bytes, read_object
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint

if TYPE_CHECKING:
    from jinja2 import nodes

FILE = "chat_template.jinja"

MAX_BYTES = 64 * 2**10

PARTS = frozenset({
    "Template", "Output", "TemplateData", "Name", "Const", "Getattr", "Getitem", "Filter", "Test",
    "Compare", "Operand", "And", "Or", "Not", "If", "CondExpr", "For", "Add", "Concat", "Keyword",
})  # fmt: skip
"""Parts of a template that place texts, and cannot make them grow."""

FILTERS = frozenset({"selectattr", "rejectattr", "map", "first", "last", "default", "d", "list"})

MAX_LOOPS = 2
"""Loops within loops; each runs over the few messages of a pair."""

PLACES = {"instruction": "\ue000", "query": "\ue001", "document": "\ue002"}
"""Stand for the texts while the template is looked at; no tokenizer changes or knows them."""

TIMES = {"instruction": (0, 1), "query": (1,), "document": (1,)}
"""How often each text may stand in a prompt."""

ROLES = {"instruction": "system", "query": "query", "document": "document"}


def read_template(root: Path, folder: str) -> str:
    """The chat template of a tokenizer.

    Raises:
        UnsupportedCheckpoint: There are several.
        ModelLoadFailed: There is none, or it is no text.
    """
    data = read_bytes(root, join(folder, FILE), limit=MAX_BYTES)
    if data is not None:
        return data.decode("utf-8", "replace")
    file = join(folder, "tokenizer_config.json")
    template = (read_object(root, file) or {}).get("chat_template")
    if template is None:
        raise ModelLoadFailed(f"no {join(folder, FILE)} in {root}, so what is asked is not known")
    if not isinstance(template, str) or len(template) > MAX_BYTES:
        raise UnsupportedCheckpoint(
            f"{file} in {root} has more than one chat_template; one is read"
        )
    return template


def check_language(text: str | None) -> None:
    """Refuse a text that is no template; nothing of it is run, nor computed beforehand.

    Raises:
        InvalidInput: It is none.
    """
    if text is None:
        return
    # Few registrations bring a template, so the library is loaded here.
    from jinja2 import TemplateError, nodes
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=[loopcontrols])
    try:
        tree = environment.parse(text)
    except (TemplateError, RecursionError) as error:
        raise _no_template(str(error)) from error
    for kind, known in ((nodes.Filter, environment.filters), (nodes.Test, environment.tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                raise _no_template(f"it names the {kind.__name__.lower()} {node.name[:64]!r}")


def _no_template(why: str) -> InvalidInput:
    return InvalidInput(
        f"chat_template: it is not understood: {why}",
        param="chat_template",
        hint="a template in the language of Jinja was expected, as chat_template.jinja has it",
    )


class Template:
    """A chat template that only places texts.

    Args:
        text: The template.
        specials: Special tokens by their part, which templates may name.
        name: Whose it is, for messages.

    Raises:
        UnsupportedCheckpoint: It does more.
    """

    def __init__(self, text: str, specials: dict[str, str], name: str) -> None:
        # Few checkpoints have a template to be read, so the library is loaded here.
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._specials, self._name = specials, name
        self._fails = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
        try:
            _check(environment.parse(text), name)
            self._template = environment.from_string(text)
        except TemplateError as error:
            raise UnsupportedCheckpoint(f"{name} is not understood: {error}") from error

    def placed(self, *roles: str) -> str:
        """The prompt with a sign for each text; see ``PLACES``.

        Args:
            roles: Texts that are given.

        Raises:
            UnsupportedCheckpoint: The template changes texts, or does not place one once.
        """
        whole = self._rendered({role: PLACES[role] for role in roles})
        padded = self._rendered({role: f" {PLACES[role]}\n" for role in roles})
        expected = whole
        for role in roles:
            expected = expected.replace(PLACES[role], f" {PLACES[role]}\n")
            if whole.count(PLACES[role]) not in TIMES[role]:
                raise UnsupportedCheckpoint(
                    f"{self._name} puts the {role} into the prompt {whole.count(PLACES[role])} "
                    "times; once is implemented"
                )
        if padded != expected:
            raise UnsupportedCheckpoint(
                f"{self._name} changes the texts of a pair, which is not implemented"
            )
        return whole

    def _rendered(self, texts: dict[str, str]) -> str:
        messages = [{"role": ROLES[role], "content": text} for role, text in texts.items()]
        context: dict[str, Any] = self._specials | {"messages": messages}
        try:
            return self._template.render(context | {"add_generation_prompt": False})
        except self._fails as error:
            raise UnsupportedCheckpoint(f"{self._name} fails on a pair: {error}") from error


def _check(tree: nodes.Template, name: str) -> None:
    """Refuse a template of which some part could take long or grow."""
    for node, loops in _walk(tree, 0):
        kind = type(node).__name__
        if kind not in PARTS:
            raise _refused(name, kind)
        if kind == "Filter" and getattr(node, "name", "") not in FILTERS:
            raise _refused(name, f"the filter {getattr(node, 'name', '')!r}")
        if loops > MAX_LOOPS:
            raise _refused(name, "loops within loops")


def _walk(node: nodes.Node, loops: int) -> Iterator[tuple[nodes.Node, int]]:
    loops += type(node).__name__ == "For"
    yield node, loops
    for child in node.iter_child_nodes():
        yield from _walk(child, loops)


def _refused(name: str, what: str) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{name} has {what}, which is not implemented; only templates that put the query and the "
        "document between fixed words are read"
    )
