"""When an answer passed its stages, as ``profile()`` of the client reads it."""

from __future__ import annotations

from datetime import UTC, datetime

from stelae.dialects.clip.asked import Told

GATEWAY = "gateway"
MODEL = "model"

Stage = tuple[str, int, int]
"""A name, and nanoseconds of Unix time of beginning and end."""

_MS = 1_000_000


def stages(told: Told, now: int) -> tuple[Stage, Stage]:
    """The server's stage and within it the model's.

    Args:
        told: When things happened.
        now: When the answer is ready, in nanoseconds of Unix time.

    Returns:
        Two stages. In whole milliseconds the first takes at least one.
    """
    # Quirk: clip-client 0.8.3 cuts both times to milliseconds and divides by the difference;
    # see tests/contract/clip.
    start = told.arrived
    end = max(now, start, told.ended)
    if end // _MS == start // _MS:
        end = (start // _MS + 1) * _MS
    began = min(max(told.began or start, start), end)
    ended = min(max(told.ended, began), end)
    return (GATEWAY, start, end), (told.model or MODEL, began, ended)


def rfc3339(nanoseconds: int) -> str:
    """A time with its offset, to the microsecond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds")
