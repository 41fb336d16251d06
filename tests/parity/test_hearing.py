"""Whisper side by side with the library that it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fix_hearing import asked, heard, noise, opened, segments

from stelae.engines.base import AnyStreamEngine

SECONDS = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears(zoo: Path) -> AsyncIterator[AnyStreamEngine]:
    engine = opened(zoo / "whisper", "whisper_ct2")
    yield engine
    await engine.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_recording_becomes_segments_in_order_and_the_last_piece_counts_the_work(
    ears: AnyStreamEngine,
) -> None:
    pieces = await heard(ears, asked(noise(SECONDS), language="en", temperatures=(0.0,)))
    found = segments(pieces)
    assert found
    assert [segment.id for segment in found] == list(range(len(found)))
    times = [time for segment in found for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert times[-1] <= SECONDS
    assert [piece.usage is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[0].duration == SECONDS
