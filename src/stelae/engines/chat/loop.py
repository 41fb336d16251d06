"""The token loop: in every step each text that is ready gets on by a token.

New texts join between two steps and finished ones leave, so nobody waits for a batch to end.
Long conversations are read in pieces beside the texts that are being written. The memory of
keys and values is bounded: a text for which there is no room waits, and the one that came last
gives its room up and is read again later. What room is left keeps the memories of texts that
have ended, for others that begin as they did.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from collections.abc import Sequence as Several
from typing import Any

from msgspec.structs import replace
from torch import Tensor

from stelae.engines.base import StreamStats
from stelae.engines.chat.news import PACE_SECONDS, News
from stelae.engines.chat.prefixes import MOST, SHORTEST, Prefixes
from stelae.engines.chat.sequence import Sequence
from stelae.engines.chat.stepping import BLOCK, Share, Stepper
from stelae.engines.chat.writing import Decode
from stelae.engines.failures import as_ours
from stelae.errors import InvalidInput, ShuttingDown, StelaeError

STEP_TOKENS = 512
"""Tokens of one step at most; what is left of a conversation is read in the next."""

TEXTS = 256
"""Texts of one step at most, besides those that wait for their readers."""


class TokenLoop:
    """Runs texts on one model, in a thread of its own.

    Args:
        model: What computes.
        ends: Tokens that end a text.
        decode: Of the tokenizer.
        room: Tokens whose keys and values are kept at once.
        kept: Memories of texts that have ended, kept at most.
        pace: Seconds for which pieces may wait for others; see ``News``.
    """

    def __init__(
        self,
        model: Stepper[Any],
        ends: frozenset[int],
        decode: Decode,
        room: int,
        kept: int = MOST,
        pace: float = PACE_SECONDS,
    ) -> None:
        self._model, self._ends, self._decode = model, ends, decode
        self._room = room // BLOCK * BLOCK
        self._lock = threading.Lock()
        self._stir = threading.Condition(self._lock)
        self._new: deque[Sequence] = deque()
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._prefixes: Prefixes[Any] = Prefixes(kept)
        self._news = News(pace)
        self._closed = False
        self.stats = StreamStats()
        self._thread = threading.Thread(target=self._serve, name="stelae-tokens", daemon=True)
        self._thread.start()

    def add(self, texts: Several[Sequence]) -> None:
        """Take texts in.

        Raises:
            ShuttingDown: The loop has ended.
        """
        with self._lock:
            if self._closed:
                raise ShuttingDown("the model is being unloaded", retry_after=1.0)
            self._new.extend(texts)
            self._stir.notify()

    def stir(self) -> None:
        """Look again: pieces were taken, or a caller has left."""
        with self._lock:
            self._stir.notify()

    def close(self) -> None:
        """End after this step; what is left fails, and all memories are given back."""
        with self._lock:
            self._closed = True
            self._stir.notify()
        self._thread.join()
        error = ShuttingDown("the model was unloaded before the answer was whole")
        self._prefixes.fit(places=0)
        for text in (*self._new, *self._waiting, *self._running):
            text.forget()
            text.request.fail(error)
            self._news.add([text.request])
        self._news.tell()

    def _serve(self) -> None:
        while True:
            if not self._ready():
                self._news.tell()
                self._wait()
            if self._closed:
                return
            try:
                shares = self._plan()
            except Exception as error:  # as in a step: a model's memory may fail to be copied
                self._give_up(error)
                continue
            if shares:
                self._step(shares)

    def _ready(self) -> bool:
        with self._lock:
            return self._closed or self._something()

    def _wait(self) -> None:
        with self._lock:
            self._stir.wait_for(lambda: self._closed or self._something())

    def _give_up(self, error: Exception) -> None:
        """Fail the texts under way; those that wait go on."""
        self._fail([(text, 0) for text in self._running], as_ours(error))
        self._note(self._running)

    # -- what runs ---------------------------------------------------------------------------

    def _something(self) -> bool:
        """Whether there is anything to do: a text to sort out, or one that may run."""
        self._waiting.extend(self._new)
        self._new.clear()
        self._waiting = deque(text for text in self._waiting if not text.over)
        for text in [text for text in self._running if text.over]:
            self._running.remove(text)
            self._end(text)
        if any(not text.request.ahead for text in self._running):
            return True
        ready = [t for t in self._waiting if not t.request.ahead and not t.follows]
        return any(self._fits(text) for text in ready)

    def _plan(self) -> list[tuple[Sequence, int]]:
        """Texts of the next step and how many of their tokens run, those being written first."""
        self._admit()
        wanted = self._wanted()
        shares = wanted if self._all_fit(wanted) else self._squeezed(wanted)
        self._lend(shares)
        return shares

    def _wanted(self) -> list[tuple[Sequence, int]]:
        """Texts that are ready and how many of their tokens may run, if there is the room."""
        ready = [text for text in self._running if not (text.over or text.request.ahead)]
        wanted = []
        left = STEP_TOKENS
        for text in sorted(ready, key=lambda text: text.waits > 1):
            tokens = min(text.waits, left)
            if tokens > 0:
                wanted.append((text, tokens))
                left -= tokens
        return wanted

    def _all_fit(self, wanted: list[tuple[Sequence, int]]) -> bool:
        """Whether there is room for all, so that it need not be sought for each."""
        waits = {id(text) for text, _ in wanted}
        needed = sum(t.needs(t.waits if id(t) in waits else 0) for t in self._running)
        return needed <= self._room

    def _squeezed(self, wanted: list[tuple[Sequence, int]]) -> list[tuple[Sequence, int]]:
        """Those for which there is room once others have given theirs up."""
        shares: list[tuple[Sequence, int]] = []
        for text, tokens in wanted:
            planned = [other for other, _ in shares]
            if text in self._running and self._make_room(text, tokens, planned):
                shares.append((text, tokens))
        return shares

    def _admit(self) -> None:
        """Let texts in, in the order they came, while there is room."""
        for text in list(self._waiting):
            if sum(not running.request.ahead for running in self._running) >= TEXTS:
                return
            if text.request.ahead or text.follows:
                continue
            if not self._fits(text):
                return
            for victim in self._idle():
                if self._has_place(text):
                    break
                self._put_back(victim)
            self._waiting.remove(text)
            self._running.append(text)
            self._prefixes.fit(places=self._model.most - len(self._running))
            self._reuse(text)

    def _fits(self, text: Sequence) -> bool:
        """Whether a text can be read, if those that wait for their readers give up their room."""
        active = [t for t in self._running if not t.request.ahead]
        if len(active) >= self._model.most:
            return False
        taken = sum(t.needs(t.waits) for t in active)
        return not self._running or taken + text.needs(text.waits) <= self._room

    def _has_place(self, text: Sequence) -> bool:
        """Whether a text can be read as things stand."""
        room = self._used() + text.needs(text.waits) <= self._room
        return room and len(self._running) < self._model.most

    def _idle(self) -> list[Sequence]:
        return [text for text in reversed(self._running) if text.request.ahead]

    def _used(self) -> int:
        return sum(text.needs(max(text.waits, 1)) for text in self._running)

    def _make_room(self, text: Sequence, tokens: int, planned: list[Sequence]) -> bool:
        """Room for more tokens of a text; others give theirs up, the one that came last first."""
        while True:
            others = sum(t.needs(0) for t in self._running if t is not text and t not in planned)
            others += sum(t.needs(t.waits) for t in planned)
            if others + text.needs(tokens) <= self._room:
                return True
            victims = [t for t in self._idle() if t.ran and t is not text]
            victims += [t for t in reversed(self._running) if t.ran and t not in (text, *planned)]
            if not victims:
                return False
            self._put_back(victims[0])

    # -- what is kept ------------------------------------------------------------------------

    def _reuse(self, text: Sequence) -> None:
        """Begin a text with what others have read, if they begin alike."""
        start = text.ids[:SHORTEST]
        alike = [t for t in self._running if t.ran >= SHORTEST and t.ids[:SHORTEST] == start]
        found = self._prefixes.find(text.kind, text.ids, filter(None, (t.read() for t in alike)))
        if found is None:
            return
        memory, tokens = found
        try:
            text.borrow(self._model.fork(memory, tokens), tokens)
        except Exception as error:  # whatever a model raises, as in a step
            self._fail([(text, 0)], as_ours(error))
            self._note([text])

    def _lend(self, shares: list[tuple[Sequence, int]]) -> None:
        """Let go of memories whose room this step needs."""
        planned = {id(text): tokens for text, tokens in shares}
        needed = sum(text.needs(planned.get(id(text), 0)) for text in self._running)
        self._prefixes.fit(room=self._room - needed)

    def _end(self, text: Sequence) -> None:
        """Keep what an ended text has read, or forget it if its model failed."""
        if text.broken:
            text.forget()
        elif (read := text.read()) is not None:
            self._prefixes.keep(read)

    def _put_back(self, text: Sequence) -> None:
        self._running.remove(text)
        text.forget()
        self._waiting.appendleft(text)

    # -- the model ---------------------------------------------------------------------------

    def _step(self, shares: list[tuple[Sequence, int]]) -> None:
        started = time.monotonic()
        try:
            asked = [self._share(text, tokens) for text, tokens in shares]
            # Readers wake while the model runs: before, they would hold up the interpreter.
            self._news.tell_due(long=any(tokens > 1 for _, tokens in shares))
            scores = self._model.scores(asked)
            self._count(shares)  # before any reader can have what the step made
            for (text, tokens), row in zip(shares, scores.unbind(), strict=True):
                text.ran += tokens
                if not text.waits:
                    self._advance(text, row)
        except Exception as error:  # whatever a model raises is the answer to these calls
            self._fail(shares, as_ours(error))
        self._note(text for text, _ in shares)
        seconds = self.stats.seconds + time.monotonic() - started
        self.stats = replace(self.stats, seconds=seconds)

    def _advance(self, text: Sequence, scores: Tensor) -> None:
        try:
            text.advance(scores, self._ends, self._decode)
        except InvalidInput as error:  # it cannot be held to its form: its neighbours go on
            self._fail([(text, 0)], error)

    def _share(self, text: Sequence, tokens: int) -> Share[Any]:
        """The next tokens of a text."""
        if text.memory is None:
            text.memory = self._model.memory()
        ids = text.ids[text.ran : text.ran + tokens]
        return Share(ids, text.ran, text.memory, text.lora, text.sight)

    def _fail(self, shares: list[tuple[Sequence, int]], error: StelaeError) -> None:
        for text, _ in shares:
            text.done = text.broken = True
            text.request.dropped = True
            text.request.fail(error)

    def _note(self, texts: Iterable[Sequence]) -> None:
        """There is news for the readers of these texts."""
        self._news.add(text.request for text in texts)

    def _count(self, shares: list[tuple[Sequence, int]]) -> None:
        before = self.stats
        self.stats = replace(
            before,
            steps=before.steps + 1,
            sequences=before.sequences + len(shares),
            tokens=before.tokens + sum(tokens for _, tokens in shares),
        )
