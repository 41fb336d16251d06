"""The form of a text as a grammar in the notation that the library reads.

Source: llguidance 1.9, ``docs/syntax.md`` (its variant of Lark).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llguidance import LLTokenizer, regex_to_lark

from stelae.engines.chat.formats.shapes import Either, Mark, Maybe, Piece, Raw, Shape, Value, Word
from stelae.engines.chat.structure.ebnf import is_ebnf, lark_of
from stelae.engines.chat.structure.schemas import PATTERN, checked, eased
from stelae.errors import InvalidInput
from stelae.types import Structure

LETTERS = 64 << 10
"""Longest grammar, and all choices together."""

WHOLE = 160 << 10
"""Longest grammar with what is written around a caller's."""

CHOICES = 4096
"""Most choices."""

PARAM = "response_format"


class Grammar:
    """Rules as they are written, one after the other.

    Args:
        tokenizer: The library's view of the model's.
    """

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer = tokenizer
        self._rules: list[str] = []
        self._others: list[dict[str, str]] = []

    def text(self, start: str) -> str:
        """All of it, for texts that are ``start``.

        Raises:
            InvalidInput: It is too large, all forms that a text may have together.
        """
        lark = "\n".join([f"start: {start}", *self._rules])
        _bound("form with the schemas of all tools", len(lark), WHOLE)
        return json.dumps({"grammars": [{"lark_grammar": lark}, *self._others]})

    def thought(self, begin: str, end: str, *, begun: bool) -> str:
        """A thought before what follows; it has begun already, or may be left out."""
        rest = self._pieces([Raw(end), Mark(end)]) + " " + self._rule(r"/[ \t\r\n]{0,4}/")
        return rest if begun else f"({self._mark(begin)} {rest})?"

    def form(self, form: Structure) -> str:
        """What a caller asks for.

        Raises:
            InvalidInput: It is too large.
        """
        if form.regex is not None:
            _bound("regular expression", len(form.regex), PATTERN)
            return self._rule(f"/{regex_to_lark(form.regex, 'd')}/")
        if form.choice:
            _bound("list of choices", len(form.choice), CHOICES)
            _bound("list of choices", sum(map(len, form.choice)), LETTERS)
            return self._rule(" | ".join(map(_quoted, form.choice)))
        if form.grammar is not None:
            _bound("grammar", len(form.grammar), LETTERS)
            lark = lark_of(form.grammar) if is_ebnf(form.grammar) else form.grammar
            self._others.append({"name": "given", "lark_grammar": lark})
            return "@given"
        schema = {"type": "object"} if form.json_schema is None else form.json_schema
        return self._json(checked(schema, PARAM))

    def calls(self, shape: Shape) -> str:
        """Calls of tools, in the model's own format.

        Raises:
            InvalidInput: A tool's schema is too large.
        """
        call = self._rule(" | ".join(self._pieces(pieces) for pieces in shape.calls))
        more = f"({self._pieces(shape.between)} {call})*" if shape.several else ""
        return " ".join([self._pieces(shape.begin), call, more, self._pieces(shape.end)])

    def _mark(self, text: str) -> str:
        """A sign, by its special tokens where it has any."""
        made, rest = [], text
        for token in self._tokenizer.tokenize_str(text, parse_special=True):
            if self._tokenizer.is_special_token(token):
                before, _, rest = rest.partition(self._tokenizer.decode_str([token]))
                made += [_quoted(before), f"<[{token}]>"]
        return " ".join([*made, _quoted(rest)])

    def _pieces(self, pieces: Sequence[Piece]) -> str:
        made: list[str] = []
        taken = ""
        for piece in pieces:
            if isinstance(piece, Raw):
                taken = self._raw(piece.until, made)
            elif taken and isinstance(piece, Word | Mark):
                made.append(_quoted(piece.text.removeprefix(taken)))
                taken = ""
            else:
                made.append(self._piece(piece))
        return " ".join(made) or '""'

    def _raw(self, until: str, made: list[str]) -> str:
        """Add any text up to some letters, and say which of them it takes with it.

        A text that ends at a special token leaves it to the next piece. Letters are taken at
        once, since the library reads no further than the shortest match.
        """
        first = self._tokenizer.tokenize_str(until, parse_special=True)[:1]
        if first and self._tokenizer.is_special_token(first[0]):
            made.append(self._named("PART", r"/(.|\n)*/"))
            return ""
        made.append(self._named("part[lazy]", rf"/(.|\n)*{_escaped(until)}/"))
        return until

    def _piece(self, piece: Mark | Word | Value | Maybe | Either) -> str:
        match piece:
            case Mark(text):
                return self._mark(text)
            case Word(text):
                return _quoted(text)
            case Value(schema):
                return self._json(eased(schema, "tools"))
            case Maybe(pieces):
                return f"({self._pieces(pieces)})?"
            case Either(choices):
                return self._rule(" | ".join(self._pieces(choice) for choice in choices))

    def _json(self, schema: dict[str, Any]) -> str:
        return self._rule(f"%json {json.dumps(schema)}")

    def _rule(self, body: str) -> str:
        return self._named("part", body)

    def _named(self, kind: str, body: str) -> str:
        word, bracket, options = kind.partition("[")
        name = f"{word}_{len(self._rules)}"
        self._rules.append(f"{name}{bracket}{options}: {body}")
        return name


def _quoted(text: str) -> str:
    return json.dumps(text)


def _escaped(text: str) -> str:
    """Letters as a regular expression matches them, by their numbers."""
    return "".join(rf"\x{{{ord(letter):x}}}" for letter in text)


def _bound(what: str, size: int, most: int) -> None:
    if size > most:
        raise InvalidInput(
            f"the {what} has a size of {size}, at most {most} is taken",
            param=PARAM,
            hint="make it shorter",
        )
