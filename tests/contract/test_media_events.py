"""Pictures, transcripts and speech on Stelae's own paths, piece by piece."""

from __future__ import annotations

import base64
import json
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fix_media
import httpx
import msgspec
import pytest
import pytest_asyncio
from live import live

from stelae.types import ImageCall, SpeechCall, TranscribeCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAV = b"RIFF"
PATHS: dict[type, str] = {ImageCall: "image", TranscribeCall: "transcribe", SpeechCall: "speak"}
GOOD = [
    ImageCall(model="painter", prompt="a boat", seed=1),
    TranscribeCall(model="listener", audio=WAV),
    SpeechCall(model="speaker", text="two words"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    root: Path = tmp_path_factory.mktemp("media")
    abilities = {
        "painter": fix_media.PAINTER,
        "listener": fix_media.LISTENER,
        "speaker": fix_media.SPEAKER,
    }
    models = {n: fix_media.settings(root, n, ability) for n, ability in abilities.items()}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with (
            live(models=models) as server,
            httpx.AsyncClient(base_url=f"{server.url}/stelae/v1") as client,
        ):
            for name in models:
                await server.house.fleet.load(name)
            yield client


async def ask(http: httpx.AsyncClient, call: Any, media: str = "application/json") -> Any:
    """The pieces of an answer, or the error that is told in their place."""
    encode = msgspec.json.encode if media.endswith("json") else msgspec.msgpack.encode
    answer = await http.post(
        PATHS[type(call)], content=encode(call), headers={"Content-Type": media}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [json.loads(part.removeprefix("data: ")) for part in answer.text.split("\n\n")[:-1]]
    assert all(isinstance(part, list) for part in told[:-1])
    return [piece for part in told[:-1] for piece in part], told[-1]


@pytest.mark.parametrize("media", ["application/json", "application/msgpack"])
@pytest.mark.parametrize("call", GOOD, ids=PATHS.values())
async def test_last_piece_alone_has_the_usage(
    http: httpx.AsyncClient, call: Any, media: str
) -> None:
    pieces, last = await ask(http, call, media)
    assert "usage" in last[-1]
    assert not any("usage" in piece for piece in [*pieces, *last[:-1]])


async def test_steps_of_a_picture_come_before_it(http: httpx.AsyncClient) -> None:
    pieces, (last,) = await ask(http, ImageCall(model="painter", prompt="a boat", steps=4))
    assert [piece["step"] for piece in pieces] == [1, 2, 3, 4]
    assert base64.b64decode(last["image"]).startswith(b"\x89PNG")
    assert last["usage"] == {"images": 1, "steps": 4, "prompt_tokens": 2}


async def test_segments_come_in_order(http: httpx.AsyncClient) -> None:
    call = TranscribeCall(model="listener", audio=WAV, prompt="one two", words=True)
    pieces, last = await ask(http, call)
    segments = [piece["segment"] for piece in pieces if "segment" in piece]
    assert [segment["text"] for segment in segments] == [" one", " two"]
    assert [segment["words"][0]["word"] for segment in segments] == [" one", " two"]
    assert last == [{"usage": {"seconds": 2.0, "tokens": 2}}]


async def test_chunks_of_sound_make_a_file(http: httpx.AsyncClient) -> None:
    call = msgspec.convert({"model": "speaker", "text": "two words", "format": "wav"}, SpeechCall)
    pieces, last = await ask(http, call)
    data = b"".join(base64.b64decode(piece.get("audio", "")) for piece in [*pieces, *last])
    with wave.open(BytesIO(data)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("image", {"model": "painter"}, "prompt"),
        ("image", {"model": "painter", "prompt": "x", "n": 0}, "n"),
        ("image", {"model": "painter", "prompt": "x", "images": ["no base64!"]}, "images[0]"),
        ("transcribe", {"model": "listener", "audio": ""}, "audio"),
        ("transcribe", {"model": "listener", "audio": "AAAA"}, "audio"),
        ("transcribe", {"model": "listener"}, "audio"),
        ("transcribe", {"model": "listener", "audio": "UklGRg==", "beam": 1}, "beam"),
        ("speak", {"model": "speaker", "text": " "}, "text"),
        ("speak", {"model": "speaker", "text": "x", "speed": 9}, "speed"),
        ("speak", {"model": "speaker", "text": "x", "voice": "tenor"}, "voice"),
        ("speak", {"model": "speaker", "text": "x", "format": "ogg"}, "format"),
    ],
)
async def test_what_is_wrong_is_told_before_any_event(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], param: str
) -> None:
    answer = await http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_task_that_the_model_has_not_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("speak", json={"model": "listener", "text": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_task")


@pytest.mark.parametrize("call", GOOD[:1] + GOOD[2:], ids=["image", "speak"])
async def test_failure_on_the_way_is_the_last_event(http: httpx.AsyncClient, call: Any) -> None:
    text = {"prompt": "a !late"} if isinstance(call, ImageCall) else {"text": "a !late"}
    pieces, last = await ask(http, msgspec.structs.replace(call, **text))
    assert last["error"]["code"] == "engine_failed"
    assert not any("usage" in piece for piece in pieces)


async def test_work_is_counted(http: httpx.AsyncClient) -> None:
    async def tokens(model: str) -> float:
        lines = (await http.get(http.base_url.join("/metrics"))).text.splitlines()
        line = f'stelae_tokens_total{{model="{model}"}} '
        return sum(float(told.removeprefix(line)) for told in lines if told.startswith(line))

    before = await tokens("listener"), await tokens("painter")
    await ask(http, TranscribeCall(model="listener", audio=WAV, prompt="one two three"))
    await ask(http, ImageCall(model="painter", prompt="a boat"))
    assert await tokens("listener") == before[0] + 3
    assert await tokens("painter") == before[1] + 2


async def test_card_of_a_model_tells_voices_and_languages(http: httpx.AsyncClient) -> None:
    assert (await http.get("models/speaker")).json()["voices"] == ["alto", "bass"]
    assert (await http.get("models/listener")).json()["languages"] == ["en", "de"]
