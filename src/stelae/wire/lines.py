"""Lines of a body that comes in parts."""

from __future__ import annotations


class Lines:
    """Cuts bytes into lines, which end with a line feed and nothing else.

    JSON may hold all other signs that Python's ``str.splitlines``, and with it ``iter_lines`` of
    httpx, takes for ends of lines.
    """

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def add(self, data: bytes) -> list[bytes]:
        """The lines that are whole with more of the body, without their ends."""
        first, *more = data.split(b"\n")
        self._begun.append(first)
        if not more:
            return []
        *others, begun = more
        lines = [b"".join(self._begun), *others]
        self._begun = [begun]
        return lines
