"""How large a recording may be; looked at before memory is taken for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from stelae.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one recording.

    Attributes:
        file_bytes: Size of the file.
        seconds: How long it plays.
        decoded_bytes: Size of its samples at the rate asked for, one channel of 32-bit numbers.
        channels: Most channels.
        rates: Least and most samples per second.
        loudest: Largest sample, where 1 is full scale.
    """

    file_bytes: int = 512 * 2**20
    seconds: float = 4 * 3600.0
    decoded_bytes: int = 2**30
    channels: int = 64
    rates: tuple[int, int] = (1_000, 768_000)
    loudest: float = 1e6

    def at(self, rate: int) -> Self:
        """The same for one rate, where ``seconds`` keeps the samples within ``decoded_bytes``.

        Args:
            rate: Samples per second that are asked for.
        """
        return replace(self, seconds=min(self.seconds, self.decoded_bytes / 4 / rate))


LIMITS = Limits()


def check_file(size: int, limits: Limits) -> None:
    """Refuse a file of too many bytes.

    Raises:
        InvalidInput: It has.
    """
    if size > limits.file_bytes:
        raise InvalidInput(
            f"the recording's file has {size} bytes, at most {limits.file_bytes} are read; "
            "cut it or save it in a format that packs, such as MP3 or Opus",
            param="audio",
        )


def check_shape(channels: int, rate: int, limits: Limits) -> None:
    """Refuse a recording of no channels or too many, or sampled too rarely or too often.

    Raises:
        InvalidInput: It is one of these.
    """
    if not 1 <= channels <= limits.channels:
        raise InvalidInput(
            f"the recording has {channels} channels, 1 to {limits.channels} are read; "
            "mix it down before sending it",
            param="audio",
        )
    least, most = limits.rates
    if not least <= rate <= most:
        raise InvalidInput(
            f"the recording has {rate} samples per second, {least} to {most} are read; "
            "resample it before sending it",
            param="audio",
        )


def check_length(seconds: float, limits: Limits) -> None:
    """Refuse a recording that plays too long.

    Args:
        seconds: How long it plays, or as much of it as was read so far.
        limits: What is allowed.

    Raises:
        InvalidInput: It does.
    """
    if seconds > limits.seconds:
        raise InvalidInput(
            f"the recording lasts {seconds:.0f} seconds or more, at most {limits.seconds:.0f} "
            "are read; cut it into parts",
            param="audio",
        )
