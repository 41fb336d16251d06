"""The loop of windows: transcripts under way ask, equal asks run together on one thread.

A window of a recording begins where the last was done, so that windows of one recording run one
after another; those of several recordings run at the same time. Spectra are made by threads
beside, while the model runs for others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as with_
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from msgspec.structs import replace

from stelae.engines.base import StreamStats
from stelae.engines.failures import as_ours
from stelae.engines.listening.asks import Align, Ask, Detect, Hear, Steps, Write
from stelae.engines.listening.hearer import Floats, Hearer
from stelae.engines.mailbox import Mailbox
from stelae.errors import ShuttingDown
from stelae.types import TranscribePiece

TOGETHER = 8
"""Windows that run together at most."""

Box = Mailbox[TranscribePiece]
A = TypeVar("A", Detect, Write, Align)


@dataclass(slots=True, eq=False)
class Listening:
    """A transcript under way.

    Attributes:
        steps: Its asks.
        box: Takes what it finds.
        ask: What it waits for; ``None`` while it is worked on beside.
    """

    steps: Steps
    box: Box
    ask: Ask | None = None

    @property
    def kind(self) -> Hashable:
        """What has to be equal for asks to run together."""
        return None if self.ask is None else self.ask.kind


class WindowLoop:
    """Runs transcripts on one model, in a thread of its own.

    Args:
        model: What computes.
        features: Samples of a window to its spectra; called in threads beside.
        threads: How many of these.
        together: Windows that run together at most.
    """

    def __init__(
        self,
        model: Hearer,
        features: Callable[[Floats], Floats],
        threads: int = 1,
        together: int = TOGETHER,
    ) -> None:
        self._model, self._features, self._together = model, features, together
        self._stir = threading.Condition()
        self._ready: deque[Listening] = deque()
        self._all: set[Listening] = set()
        self._closed = False
        self.stats = StreamStats()
        self._beside = ThreadPoolExecutor(threads, thread_name_prefix="stelae-spectra")
        self._thread = threading.Thread(target=self._serve, name="stelae-windows", daemon=True)
        self._thread.start()

    def add(self, steps: Steps, box: Box) -> None:
        """Take a transcript in.

        Raises:
            ShuttingDown: The loop has ended.
        """
        listening = Listening(steps, box)
        with self._stir:
            if self._closed:
                raise ShuttingDown("the model is being unloaded", retry_after=1.0)
            self._all.add(listening)
            self._beside.submit(self._go_on, listening, None)

    def look(self) -> None:
        """Look again: pieces were taken, or a caller has left."""
        with self._stir:
            self._stir.notify()

    def close(self) -> None:
        """End after this step; what is under way fails with ``ShuttingDown``."""
        with self._stir:
            self._closed = True
            self._stir.notify()
        self._thread.join()
        self._beside.shutdown(cancel_futures=True)
        for listening in list(self._all):
            listening.steps.close()
            self._end(listening, ShuttingDown("the model was unloaded before the answer was whole"))

    # -- beside ------------------------------------------------------------------------------

    def _go_on(self, listening: Listening, answer: Any) -> None:
        """Give a transcript its answer and take its next ask; spectra are made at once."""
        try:
            if listening.box.dropped:
                listening.steps.close()
                self._end(listening)
                return
            ask = listening.steps.send(answer)
            if isinstance(ask, Hear):
                ask = with_(ask, features=self._features(ask.samples))
        except StopIteration:
            self._end(listening)
        except Exception as error:  # whatever a library raises is the answer to this call
            self._end(listening, error)
        else:
            with self._stir:
                listening.ask = ask
                self._ready.append(listening)
                self._stir.notify()

    def _end(self, listening: Listening, error: Exception | None = None) -> None:
        with self._stir:
            self._all.discard(listening)
        listening.box.end(None if error is None else as_ours(error))

    # -- the model ---------------------------------------------------------------------------

    def _serve(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[Listening]:
        """The transcript that has waited longest, and others that ask for the same."""
        with self._stir:
            self._stir.wait_for(lambda: self._closed or any(map(_waits, self._ready)))
            if self._closed:
                return []
            first = next(filter(_waits, self._ready))
            alike = (one for one in self._ready if _runs(one) and one.kind == first.kind)
            hears = self._model.hears if isinstance(first.ask, Hear) else self._together
            most = min(hears, self._together)
            batch = [first] if first.box.dropped else list(islice(alike, most))
            for one in batch:
                self._ready.remove(one)
            return batch

    def _run(self, batch: list[Listening]) -> None:
        if batch[0].box.dropped:
            self._beside.submit(self._go_on, batch[0], None)
            return
        started = time.monotonic()
        try:
            answers = self._answers([one.ask for one in batch if one.ask is not None])
        except Exception as error:  # whatever a model raises is the answer to these calls
            for one in batch:
                one.steps.close()
                self._end(one, error)
            return
        self._count(answers, time.monotonic() - started)
        for one, answer in zip(batch, answers, strict=True):
            one.ask = None
            self._beside.submit(self._go_on, one, answer)

    def _answers(self, asks: list[Ask]) -> Sequence[Any]:
        match asks[0]:
            case Hear():
                return self._model.hear(np.stack([_made(ask) for ask in asks]))
            case Detect():
                return self._model.languages([a.heard for a in _only(Detect, asks)])
            case Write(how=how):
                texts = _only(Write, asks)
                heard = [text.heard for text in texts]
                return self._model.write(heard, [text.prompt for text in texts], how)
            case Align(prefix=prefix):
                said = _only(Align, asks)
                heard, frames = [one.heard for one in said], [one.frames for one in said]
                return self._model.align(heard, prefix, [one.text for one in said], frames)

    def _count(self, answers: Sequence[Any], seconds: float) -> None:
        before = self.stats
        tokens = sum(len(getattr(answer, "tokens", ())) for answer in answers)
        self.stats = replace(
            before,
            steps=before.steps + 1,
            sequences=before.sequences + len(answers),
            tokens=before.tokens + tokens,
            seconds=before.seconds + seconds,
        )


def _waits(one: Listening) -> bool:
    """Whether there is something to do for it."""
    return one.box.dropped or not one.box.full


def _runs(one: Listening) -> bool:
    return not (one.box.dropped or one.box.full)


def _made(ask: Ask) -> Floats:
    if not isinstance(ask, Hear) or ask.features is None:
        raise TypeError(f"spectra were expected, not {ask}")
    return ask.features


def _only(kind: type[A], asks: Sequence[Ask]) -> list[A]:
    return [ask for ask in asks if isinstance(ask, kind)]
