"""From recordings to spectrograms ready to run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stelae.audio.decode import decode
from stelae.audio.limits import Limits
from stelae.engines.clap.spectra import Spectra, Spectrograph
from stelae.engines.text.features import DENSE, Features
from stelae.errors import InvalidInput
from stelae.types import Item, OutputType, Role

LIMITS = Limits(file_bytes=128 << 20, seconds=900.0)
"""A vector of a whole concert says nothing of it; parts are sent one by one."""

NOTHING = np.empty((0, 0, 0), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFeatures(Features):
    """One recording, ready to run; ``ids`` means nothing but how many tokens it has.

    Attributes:
        views: What the tower sees of it, shape ``(views, frames, bins)``.
    """

    views: Spectra

    def drop(self) -> None:
        """Let the spectra go once they have run; a call keeps its entries until it is answered."""
        object.__setattr__(self, "views", NOTHING)


class RecordingIntake:
    """Reads recordings for one model.

    Args:
        spectrograph: Makes what the model sees of them.
        tokens: Patches that it cuts a spectrogram into.
        limits: How large a recording may be.

    Attributes:
        tokens: Tokens of a recording.
        together: Whether several threads may read at a time.
    """

    together = True

    def __init__(self, spectrograph: Spectrograph, tokens: int, limits: Limits = LIMITS) -> None:
        self._spectrograph, self.tokens, self._limits = spectrograph, tokens, limits

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = DENSE, role: Role | None = None
    ) -> RecordingFeatures | InvalidInput:
        """The recording of an item, or why it cannot be read."""
        try:
            samples = decode(item.audio or b"", self._spectrograph.rate, self._limits)
        except InvalidInput as error:
            return error
        views, cut = self._spectrograph.views(samples)
        ids = np.zeros(self.tokens, np.int32)
        return RecordingFeatures(ids, outputs=outputs, role=role, views=views, truncated=cut)
