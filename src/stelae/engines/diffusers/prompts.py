"""How long prompts are for the text tower that reads most."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from stelae.errors import InputTooLong
from stelae.types import Truncate


class Prompts:
    """Counts the tokens of prompts; used by several threads.

    Args:
        tokenizers: By name, the first first; not those that the pipeline uses, which it sets
            to cut and to fill up.
        most: Tokens that are read with each; ``None`` as it says itself.
        frame: What the pipeline puts around a prompt, with a place ``{}``.
        dropped: Tokens at the start of that which count as none.
    """

    def __init__(
        self,
        tokenizers: Mapping[str, Any],
        most: Mapping[str, int | None],
        frame: str = "{}",
        dropped: int = 0,
    ) -> None:
        self._tokenizers, self._frame, self._dropped = tokenizers, frame, dropped
        self._most = {n: most[n] or int(t.model_max_length) for n, t in tokenizers.items()}
        self._widest = max(tokenizers, key=lambda name: self._most[name])
        self._lock = threading.Lock()

    def check(self, text: str, param: str, truncate: Truncate) -> bool:
        """Whether a prompt will be cut.

        Raises:
            InputTooLong: It would be, and that is not wanted.
        """
        tokens, longest = self._count(self._widest, text), self._most[self._widest]
        if tokens <= longest:
            return False
        if truncate != Truncate.END:
            raise InputTooLong(
                f"{param} has {tokens} tokens, the model reads {longest}",
                param=param,
                hint="make it shorter, or set truncate='end' to leave its end unread",
            )
        return True

    def count(self, text: str) -> int:
        """Tokens of a prompt that the first text tower reads."""
        first = next(iter(self._tokenizers))
        return min(self._count(first, text), self._most[first])

    def _count(self, name: str, text: str) -> int:
        framed = self._frame.replace("{}", text)
        with self._lock:
            return len(self._tokenizers[name](framed, verbose=False)["input_ids"]) - self._dropped
