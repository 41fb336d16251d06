"""Pages of keys and values: each text has a list of them, and texts that begin alike share some."""

from __future__ import annotations

from collections import Counter

import openvino as ov

from stelae.errors import OutOfMemory


class Pool:
    """All pages there are.

    Args:
        caches: Keys and values of each layer, shape ``(pages, heads, tokens, width)``.

    Attributes:
        size: Tokens of a page.
    """

    def __init__(self, caches: list[ov.Tensor]) -> None:
        pages, _, self.size, _ = caches[0].shape
        self._caches = caches
        self._free = list(range(pages))
        self._users: Counter[int] = Counter()

    @property
    def free(self) -> int:
        """Pages that nobody uses."""
        return len(self._free)

    def take(self) -> int:
        """A page for one text.

        Raises:
            OutOfMemory: All are in use.
        """
        if not self._free:
            raise OutOfMemory("there is no room left for keys and values", retry_after=1.0)
        page = self._free.pop()
        self._users[page] = 1
        return page

    def share(self, page: int) -> None:
        """One more text uses a page."""
        self._users[page] += 1

    def give_back(self, page: int) -> None:
        """One text uses it no more."""
        self._users[page] -= 1
        if not self._users[page]:
            self._free.append(page)

    def copy(self, page: int) -> int:
        """A page of its own with the same keys and values."""
        made = self.take()
        for cache in self._caches:
            _part(cache, page).copy_to(_part(cache, made))
        return made


def _part(cache: ov.Tensor, page: int) -> ov.Tensor:
    rest = list(cache.shape)[1:]
    return ov.Tensor(cache, ov.Coordinate([page, 0, 0, 0]), ov.Coordinate([page + 1, *rest]))


class Pages:
    """Keys and values of one text; see ``Memory``.

    Attributes:
        numbers: Its pages, in order.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.numbers: list[int] = []
        self._borrowed = False

    def grow(self, tokens: int) -> None:
        """Have room for so many, which are about to be written.

        Raises:
            OutOfMemory: There is not so much.
        """
        if self._borrowed:
            page = self.numbers[-1]
            self.numbers[-1], self._borrowed = self._pool.copy(page), False
            self._pool.give_back(page)
        while len(self.numbers) * self._pool.size < tokens:
            self.numbers.append(self._pool.take())

    def fork(self, tokens: int) -> Pages:
        """Pages that begin alike.

        Whole ones are shared for good, since nobody writes to them again. The last is copied
        when the new text grows; until then nothing is written where it looks.
        """
        count = -(-tokens // self._pool.size)
        made = Pages(self._pool)
        made.numbers = self.numbers[:count]
        made._borrowed = tokens % self._pool.size > 0
        for page in made.numbers:
            self._pool.share(page)
        return made

    def release(self) -> None:
        """Give them back."""
        for page in self.numbers:
            self._pool.give_back(page)
        self.numbers, self._borrowed = [], False
