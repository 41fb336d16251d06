"""Values of other notations than JSON, passed on as JSON while they come."""

from __future__ import annotations

from collections.abc import Callable

from stelae.engines.chat.formats.json_text import checked, quoted, read_value, written
from stelae.engines.chat.formats.tape import NoCall, Step, Tape

DEPTH = 64
"""Lists and objects within each other, at most."""

ENDS = ",]}):"
"""Letters before which a bare word ends."""

Text = Callable[[Tape], Step[bool]]
"""Passes a text on, if one comes next."""


class Values:
    """A notation.

    Args:
        text: Reads texts.
        words: Bare words that are values, as JSON.
        bare: Whether other bare words are texts, and keys stand bare.
        closed: Letter that closes each kind of bracket.
    """

    def __init__(
        self, text: Text, words: dict[str, str], *, bare: bool, closed: dict[str, str]
    ) -> None:
        self._text, self._words, self._bare, self._closed = text, words, bare, closed

    def read(self, tape: Tape, depth: int = 0) -> Step[None]:
        """Pass one value on.

        Raises:
            NoCall: There is none, or it breaks off.
        """
        yield from tape.skip()
        if (yield from self._text(tape)):
            return
        first = yield from tape.peek()
        if first not in self._closed or depth >= DEPTH:
            tape.argue(self._scalar((yield from self._word(tape))))
        elif first == "{":
            yield from self._object(tape, depth)
        else:
            yield from self._list(tape, first, depth)

    def members(self, tape: Tape, close: str, sign: str, depth: int) -> Step[None]:
        """Pass ``key<sign>value`` pairs on, up to a letter that is taken; see ``read``."""
        tape.argue("{")
        yield from tape.skip()
        more = False
        while (yield from tape.peek()) != close:
            if more:
                tape.argue(", ")
            more = True
            yield from self._key(tape, sign)
            yield from tape.skip()
            yield from tape.take(sign)
            tape.argue(": ")
            yield from self.read(tape, depth + 1)
            yield from self._comma(tape, close)
        yield from tape.next()
        tape.argue("}")

    def _object(self, tape: Tape, depth: int) -> Step[None]:
        yield from tape.next()
        yield from self.members(tape, "}", ":", depth)

    def _list(self, tape: Tape, first: str, depth: int) -> Step[None]:
        close = self._closed[first]
        yield from tape.next()
        tape.argue("[")
        yield from tape.skip()
        more = False
        while (yield from tape.peek()) != close:
            if more:
                tape.argue(", ")
            more = True
            yield from self.read(tape, depth + 1)
            yield from self._comma(tape, close)
        yield from tape.next()
        tape.argue("]")

    def _comma(self, tape: Tape, close: str) -> Step[None]:
        """Take the comma between two values; one may stand behind the last."""
        yield from tape.skip()
        if (yield from tape.peek()) != close:
            yield from tape.take(",")
            yield from tape.skip()

    def _key(self, tape: Tape, sign: str) -> Step[None]:
        if not (yield from self._text(tape)):
            tape.argue(quoted((yield from read_key(tape, sign))))

    def _word(self, tape: Tape) -> Step[str]:
        word = ""
        while (letter := (yield from tape.peek())) and letter not in ENDS:
            word += yield from tape.next()
        if not letter:
            raise NoCall
        return word.strip()

    def _scalar(self, word: str) -> str:
        made = checked(self._words.get(word, word)) if word else None
        if made is None and (not self._bare or not word):
            raise NoCall
        return quoted(word) if made is None else made


def read_key(tape: Tape, sign: str) -> Step[str]:
    """A bare name before a sign, which is left.

    Raises:
        NoCall: There is none.
    """
    key = ""
    while (letter := (yield from tape.peek())) and letter != sign:
        if not (letter.isalnum() or letter in "_-. "):
            raise NoCall
        key += yield from tape.next()
    if not key.strip() or not letter:
        raise NoCall
    return key.strip()


def json_text(tape: Tape) -> Step[bool]:
    """Texts as JSON has them."""
    if (yield from tape.peek()) != '"':
        return False
    yield from read_value(tape, tape.argue)
    return True


def text_between(mark: str) -> Text:
    """Texts between two marks that are alike, as they stand, or as JSON has them."""

    def read(tape: Tape) -> Step[bool]:
        if (yield from json_text(tape)):
            return True
        if (yield from tape.peek()) != mark[0] or not (yield from tape.drop(mark)):
            return False
        tape.argue('"')
        held = ""
        while not held.endswith(mark):
            held += yield from tape.next()
            if len(held) > len(mark):
                tape.argue(written(held[0]))
                held = held[1:]
        tape.argue(written(held.removesuffix(mark)) + '"')
        return True

    return read
