"""JSON as it grows: checked letter by letter, so that what is passed on can only become valid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from stelae.engines.chat.formats.tape import NoCall, Step, Tape

DEPTH = 512
"""Objects and lists within each other, at most."""

DIGITS = "0123456789"
HEX = frozenset("0123456789abcdefABCDEF")
WORDS = ("true", "false", "null")
CLOSED = {"{": "}", "[": "]"}
BLANKS = " \t\r\n"
PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
"""Letters that stand in a JSON string as they are."""

WHOLE = frozenset({"0", "int", "fraction", "power"})
"""States in which a number may end."""


def _number(state: str, letter: str) -> str:
    """The state of a number after one more letter; empty if the letter is no part of it."""
    if letter in DIGITS:
        if state in ("", "-"):
            return "0" if letter == "0" else "int"
        after = {"int": "int", ".": "fraction", "fraction": "fraction"}
        return after.get(state, "power" if state in ("e", "sign", "power") else "")
    if letter == "-" and state == "":
        return "-"
    if letter == "." and state in ("0", "int"):
        return "."
    if letter in "eE" and state in ("0", "int", "fraction"):
        return "e"
    return "sign" if letter in "+-" and state == "e" else ""


class JsonScan:
    """Takes a JSON value letter by letter.

    Faults that models make are mended: control characters in strings, backslashes before
    letters that need none, and white space that JSON does not know. Halves of surrogate pairs
    become U+FFFD.

    Attributes:
        done: Whether the value is whole; numbers at the top are whole only by what follows.
    """

    def __init__(self) -> None:
        self.done = False
        self._state: Callable[[str], str] = self._value
        self._open: list[str] = []
        self._key = False
        self._part = ""
        self._half = ""

    def push(self, letter: str) -> str:
        """Take a letter; what is certain now.

        Raises:
            NoCall: No JSON goes on like this.
        """
        blank = letter.isspace() and letter not in BLANKS
        return self._state(" " if blank and not self._quoted else letter)

    @property
    def _quoted(self) -> bool:
        return self._state in (self._string, self._escape)

    @property
    def within_text(self) -> bool:
        """Whether plain letters may follow, which change nothing."""
        return self._state == self._string and not self._half

    @property
    def ends(self) -> bool:
        """Whether the value could be over here."""
        return self.done or (self._state == self._digits and not self._open and self._whole)

    @property
    def _whole(self) -> bool:
        return self._part in WHOLE

    def _value(self, letter: str) -> str:
        if letter.isspace():
            return letter
        if letter in CLOSED:
            if len(self._open) >= DEPTH:
                raise NoCall
            self._open.append(letter)
            self._state = self._first_key if letter == "{" else self._first_value
        elif letter == '"':
            self._key, self._state = False, self._string
        elif number := _number("", letter):
            self._part, self._state = number, self._digits
        else:
            self._part, self._state = "", self._word
            return self._word(letter)
        return letter

    def _first_value(self, letter: str) -> str:
        return self._close(letter) if letter == "]" else self._value(letter)

    def _first_key(self, letter: str) -> str:
        return self._close(letter) if letter == "}" else self._next_key(letter)

    def _next_key(self, letter: str) -> str:
        if letter == '"':
            self._key, self._state = True, self._string
        elif not letter.isspace():
            raise NoCall
        return letter

    def _colon(self, letter: str) -> str:
        if letter == ":":
            self._state = self._value
        elif not letter.isspace():
            raise NoCall
        return letter

    def _after(self, letter: str) -> str:
        if letter == ",":
            self._state = self._next_key if self._open[-1] == "{" else self._value
        elif letter in "]}":
            return self._close(letter)
        elif not letter.isspace():
            raise NoCall
        return letter

    def _close(self, letter: str) -> str:
        if CLOSED[self._open.pop()] != letter:
            raise NoCall
        self._end()
        return letter

    def _end(self) -> None:
        self.done = not self._open
        self._state = self._after if self._open else self._nothing

    def _nothing(self, letter: str) -> str:
        raise NoCall

    def _digits(self, letter: str) -> str:
        if number := _number(self._part, letter):
            self._part = number
            return letter
        if not self._whole or not self._open:
            raise NoCall
        self._end()
        return self._after(letter)

    def _word(self, letter: str) -> str:
        self._part += letter
        if self._part in WORDS:
            self._end()
        elif not any(word.startswith(self._part) for word in WORDS):
            raise NoCall
        return letter

    # -- strings -----------------------------------------------------------------------------

    def _string(self, letter: str) -> str:
        if letter == "\\":
            self._part, self._state = letter, self._escape
            return ""
        lone, self._half = self._half, ""
        before = r"\ufffd" if lone else ""
        if letter == '"':
            if self._key:
                self._state = self._colon
            else:
                self._end()
            return before + letter
        return before + written(letter)

    def _escape(self, letter: str) -> str:
        self._part += letter
        if self._part == r"\u":
            return ""
        if len(self._part) == 2:
            return self._escaped(self._part if letter in '"\\/bfnrt' else written(self._part))
        if letter not in HEX:
            raise NoCall
        return self._escaped(self._part) if len(self._part) == 6 else ""

    def _escaped(self, made: str) -> str:
        self._state = self._string
        half, self._half = self._half, ""
        code = int(made[2:], 16) if made.startswith(r"\u") else 0
        if 0xDC00 <= code < 0xE000:
            return half + made if half else r"\ufffd"
        before = r"\ufffd" if half else ""
        if 0xD800 <= code < 0xDC00:
            self._half = made
            return before
        return before + made


def written(text: str) -> str:
    """Letters as they stand within a JSON string."""
    if "\ud800" <= max(text, default="") <= "\udfff":
        text = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return json.dumps(text, ensure_ascii=False)[1:-1]


def dumped(value: Any) -> str:
    """A value as JSON, with its letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def quoted(text: str) -> str:
    """A text as a JSON string."""
    return f'"{written(text)}"'


def checked(text: str) -> str | None:
    """A text as JSON, if it is JSON."""
    scan = JsonScan()
    try:
        made = [scan.push(letter) for letter in text.strip()]
    except NoCall:
        return None
    return "".join(made) if scan.ends else None


def read_value(tape: Tape, say: Callable[[str], None] | None = None) -> Step[str]:
    """A JSON value, as it is checked.

    Args:
        tape: White space before the value is taken.
        say: Told of every piece, if the value is passed on as it grows.

    Returns:
        The value, where nobody is told of its pieces.

    Raises:
        NoCall: There is none; the letter at which this shows is put back.
    """
    yield from tape.skip()
    scan, made = JsonScan(), list[str]()
    tell = made.append if say is None else say
    while not scan.done:
        if scan.within_text and (plain := tape.run(PLAIN)):
            tell(written(plain))
            continue
        if scan.ends and not _number_goes_on((yield from tape.peek())):
            break
        letter = yield from tape.next()
        try:
            tell(scan.push(letter))
        except NoCall:
            tape.back()
            raise
    return "".join(made)


def _number_goes_on(letter: str) -> bool:
    return letter != "" and letter in DIGITS + ".eE+-"


def read_string(tape: Tape) -> Step[str]:
    """A JSON string, without its marks.

    Raises:
        NoCall: There is none.
    """
    text = yield from read_value(tape)
    if not text.startswith('"'):
        raise NoCall
    made: str = json.loads(text)
    return made
