"""Whether what was written of a window is good, or worth another try.

Source: Radford et al. 2022 (arXiv:2212.04356), section 4.5.
"""

from __future__ import annotations

import zlib

from stelae.engines.listening.hearer import Written

COMPRESSION = 2.4
"""A text that zlib makes more than this much shorter repeats itself."""

LOGPROB = -1.0
"""A text whose tokens are less likely than this on average is doubtful."""

NO_SPEECH = 0.6
"""A doubtful text is none if it is this likely that nothing is said."""


def compression(text: str) -> float:
    """How much shorter zlib makes a text.

    Example:
        >>> compression("ha" * 100) > COMPRESSION
        True
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def is_silence(written: Written) -> bool:
    """Whether nothing is said."""
    return written.no_speech > NO_SPEECH and written.avg_logprob < LOGPROB


def is_good(written: Written, text: str) -> bool:
    """Whether no other temperature need be tried."""
    if is_silence(written):
        return True
    return compression(text) <= COMPRESSION and written.avg_logprob >= LOGPROB
