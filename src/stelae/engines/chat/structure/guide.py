"""Which tokens may come next in a text that must have a form."""

from __future__ import annotations

import re
from concurrent.futures import Executor

import numpy as np
import torch
from llguidance import LLMatcher
from torch import Tensor

from stelae.errors import InvalidInput

FAULT = 500
"""Letters of the library's complaints that are passed on."""

PLACE = re.compile(r"^(at )?\d+\(\d+\): ")
"""A line and column of the grammar that we wrote."""


class Guide:
    """Holds one text to its form; used by one thread at a time.

    What may come next is found out in another thread, while the model runs.

    Args:
        matcher: Of the library, of its own for this text.
        vocabulary: Tokens that the model knows, ``V``.
        param: The argument that asks for the form.
        threads: Where what may come next is found out.

    Attributes:
        over: Whether the text is whole, and nothing can follow.
    """

    def __init__(self, matcher: LLMatcher, vocabulary: int, param: str, threads: Executor) -> None:
        self._matcher, self._vocabulary, self._param = matcher, vocabulary, param
        self._threads = threads
        self.over = matcher.is_stopped()
        self._bits = threads.submit(self._look)

    def allowed(self) -> Tensor:
        """Numbers of the tokens that may come next, rising, shape ``(N,)``, ``N >= 1``.

        Raises:
            InvalidInput: To find out takes more work than a form may ask for, or no token may.
        """
        bits = self._bits.result()
        if self._matcher.is_error():
            raise self._too_much()
        each = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")
        return torch.from_numpy(np.flatnonzero(each[: self._vocabulary].view(np.bool_)))

    def accept(self, token: int) -> None:
        """Go on with a token, one of those allowed.

        Raises:
            InvalidInput: To go on takes more work than a form may ask for.
        """
        self._bits.result()
        if not self._matcher.consume_token(token):
            raise self._too_much()
        self.over = self._matcher.is_stopped()
        if not self.over:
            self._bits = self._threads.submit(self._look)

    def _look(self) -> bytes:
        """A bit for each token, set where it may come next."""
        return self._matcher.compute_bitmask()

    def _too_much(self) -> InvalidInput:
        return InvalidInput(
            f"the text cannot be held to the form asked for any longer: {fault(self._matcher)}",
            param=self._param,
            hint="use simpler patterns and fewer choices at one place",
        )


def fault(matcher: LLMatcher) -> str:
    """What the library has to complain of, without its own directions and places in grammars."""
    whole = matcher.get_error().removesuffix("\n<non-verbose/>")
    said = PLACE.sub("", whole.partition("\n   1 |")[0])[:FAULT]
    return "no text has that form" if said.startswith("NoExtension") else said
