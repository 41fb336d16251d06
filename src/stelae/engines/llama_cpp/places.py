"""Keys and values of texts in the library's cells, where only texts at work should have some.

Each token looks at all cells up to the last in use and hides those of other texts, so what lies
there idle makes every token slower. Texts that have not run for some steps, or when another
begins, are put away, into memory of our own, and come back when they run on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np

IDLE_STEPS = 32
"""Steps after which a text that did not run is put away: readers may pause for a few."""

State = np.ndarray[Any, np.dtype[np.uint8]]


class Place:
    """A text's keys and values; see ``Memory``.

    Args:
        places: Where it is.
        number: What the library calls the text.

    Attributes:
        ids: Tokens whose keys and values they are.
        source: The text that it began as, whose cells it shares.
        used: The step in which it ran last.
        state: Keys and values that are put away, of these tokens and perhaps more.
        unread: Whether there are none yet, though there are tokens.
    """

    def __init__(self, places: Places, number: int) -> None:
        self._places, self.number = places, number
        self.ids: list[int] = []
        self.source: Place | None = None
        self.used = 0
        self.state: State | None = None
        self.unread = False

    def release(self) -> None:
        """Give them back."""
        self._places.free(self)


class Places:
    """All texts of a context.

    Args:
        context: The library's.
        longest: Tokens of a text of which the library keeps all. Of a longer one it may give
            cells away that the next token does not see, but that another text could need which
            begins like it; it would not put them away either.

    Attributes:
        most: Texts that there can be at once.
    """

    def __init__(self, context: Any, longest: int) -> None:
        self._context, self._longest = context, longest
        self._cells = lib.llama_get_memory(context)
        self.most = int(lib.llama_n_seq_max(context))
        self._numbers = list(range(self.most))
        self._taken: set[Place] = set()
        self._step = 0

    def take(self) -> Place:
        """A place for one more text, empty."""
        place = Place(self, self._numbers.pop())
        self._taken.add(place)
        return place

    def fork(self, source: Place, tokens: int) -> Place:
        """A place for a text that begins as another does; cells are shared, not copied."""
        made = self.take()
        made.ids, made.state = source.ids[:tokens], source.state
        made.unread = tokens < len(source.ids) > self._longest
        if source.state is None and not made.unread:
            made.source = source
            lib.llama_memory_seq_cp(self._cells, source.number, made.number, 0, tokens)
        return made

    def free(self, place: Place) -> None:
        """Forget a text."""
        self._taken.remove(place)
        lib.llama_memory_seq_rm(self._cells, place.number, -1, -1)
        self._numbers.append(place.number)
        place.source = place.state = None  # others may still name it as their source

    def settle(self, active: Sequence[Place]) -> list[Place]:
        """Bring texts of a step back that were put away, and put those away that are idle.

        Returns:
            Those of the step that have no keys and values, as the library found no room for
            them again or may have lost some. Their tokens have to be read again.
        """
        self._step += 1
        # A text that begins gets the first cells that are free, and has them as long as it lasts.
        idle = 1 if any(not place.used for place in active) else IDLE_STEPS
        needed = {*active, *(place.source for place in active)}
        for place in active:
            place.used = self._step
        for place in self._taken - needed:
            here = place.state is None and 0 < len(place.ids) <= self._longest
            if here and self._step - place.used > idle:
                self._put_away(place)
        return [place for place in active if not self._there(place)]

    def _put_away(self, place: Place) -> None:
        size = lib.llama_state_seq_get_size(self._context, place.number)
        state = np.empty(size, np.uint8)
        if lib.llama_state_seq_get_data(self._context, _start(state), size, place.number) == size:
            lib.llama_memory_seq_rm(self._cells, place.number, -1, -1)
            place.state, place.source = state, None

    def _there(self, place: Place) -> bool:
        """Whether keys and values of a text are in the cells, from here on."""
        number, state, unread = place.number, place.state, place.unread
        place.state, place.unread = None, False
        if state is None:
            return not unread
        if not lib.llama_state_seq_set_data(self._context, _start(state), len(state), number):
            return False
        lib.llama_memory_seq_rm(self._cells, number, len(place.ids), -1)
        return True


def _start(state: State) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
