"""A program in a terminal of its own, as a person sees it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

UP = "\x1b[A"
CTRL_C, CTRL_D = "\x03", "\x04"

_LOGIN = "import os, sys; os.login_tty(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
"""Makes a terminal that of the process, then becomes the program."""

SECONDS, PRESS_SECONDS = 60.0, 5.0


class Terminal:
    """What is typed goes in, what is shown comes out.

    Attributes:
        shown: All that was shown so far.
    """

    def __init__(self, place: int) -> None:
        self._place = place
        self._read = 0
        self.shown = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._place, text.encode())

    def press_until(self, key: str, text: str) -> None:
        """Press a key until a text is shown, as a person does.

        A signal that comes just before Python's line editor waits for keys is noticed with the
        next one only.
        """
        for _ in range(int(SECONDS / PRESS_SECONDS)):
            self.type(key)
            with suppress(TimeoutError):
                self.wait_for(text, PRESS_SECONDS)
                return
        raise TimeoutError(f"{text!r} does not come, however often {key!r} is pressed")

    def wait_for(self, text: str, seconds: float = SECONDS) -> str:
        """Wait until a text is shown after what was waited for before; what was shown up to it.

        Raises:
            TimeoutError: It does not come.
        """
        end = time.monotonic() + seconds
        while (found := self.shown.find(text, self._read)) < 0:
            ready, _, _ = select.select([self._place], [], [], max(0.0, end - time.monotonic()))
            if not ready or not (data := self._more()):
                raise TimeoutError(f"{text!r} does not come after {self.shown[self._read :]!r}")
            self.shown += data
        before, self._read = self.shown[self._read : found], found + len(text)
        return before

    def _more(self) -> str:
        try:
            return os.read(self._place, 4096).decode("utf-8", "replace")
        except OSError:  # the program has left
            return ""


@contextmanager
def terminal(command: Sequence[str], **environment: str) -> Iterator[Terminal]:
    """Run a program in a terminal; it must have left at the end of the block."""
    place, inner = os.openpty()
    told = {**os.environ, "TERM": "xterm", "COLUMNS": "200", **environment}
    program = subprocess.Popen(
        [sys.executable, "-c", _LOGIN, str(inner), *command], env=told, pass_fds=[inner]
    )
    os.close(inner)
    try:
        yield Terminal(place)
        program.wait(SECONDS)
    finally:
        program.kill()
        program.wait()
        os.close(place)
