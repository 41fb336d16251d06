"""Sound with the unmodified ``openai`` client, two generations of it, against models that hear
and speak.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be made,
its checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from compatibility import Page
from fix_sound import recorded
from live import Live, live
from openai import AsyncOpenAI
from repo import ROOT
from tiny.tones import RATE, dtmf

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSIONS = {"2.54.0": "openai-2", "3.54.0": "openai-3"}

DIGITS, GERMAN, LONG = "31 415", "27", "31 41 592 65 35 897 93 238 46 264 33 83 27 95 02 88"
CONTAINERS = {
    "wav": "wav", "flac": "flac", "mp3": "mp3", "ogg": "ogg", "m4a": "mp4", "webm": "webm",
}  # fmt: skip

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "openai-audio.md",
    columns=tuple(VERSIONS),
    text="""# Sound with OpenAI's own client

The unmodified `openai` package against a server of this version, with a small Whisper that was
trained to write down telephone tones and a small VITS: each row is a check in
`tests/contract/openai_audio/checks.py`, run by `make test` with every version in an environment
of its own (`tools/clients.py`). The table is written by those tests.

{table}

[OpenAI's clients](../openai.md) says how to use them, and what differs.
""",
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files in which tones are heard."""
    folder = tmp_path_factory.mktemp("sound")
    said = dtmf(DIGITS)[None]
    for ending, kind in CONTAINERS.items():
        rate = 48_000 if kind in ("ogg", "webm") else RATE
        sound = np.repeat(said, rate // RATE, axis=1)
        (folder / f"said.{ending}").write_bytes(recorded(sound, rate, kind))
    german = dtmf(GERMAN, language="de")[None]
    (folder / "german.wav").write_bytes(recorded(german, RATE, "wav"))
    (folder / "long.wav").write_bytes(recorded(dtmf(LONG)[None], RATE, "wav"))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {
        "ears": {"source": str(ROOT / "tests" / "data" / "dtmf"), "dtype": "float32"},
        "voices": {"source": str(zoo / "vits-voices"), "dtype": "float32"},
    }
    async with live(models=models) as made:
        for name in models:
            await made.house.fleet.load(name)
        yield made


@pytest.mark.parametrize("ending", CONTAINERS)
async def test_tones_are_written_down_whatever_holds_them(
    ending: str, server: Live, recordings: Path
) -> None:
    data = (recordings / f"said.{ending}").read_bytes()
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        made = await client.audio.transcriptions.create(model="ears", file=data)
    assert made.text == "three one four one five"


@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(
    version: str, server: Live, recordings: Path
) -> None:
    await PAGE.check(version, VERSIONS[version], server.url, str(recordings))
