"""Pictures over HTTP, with the real ``openai`` client and by hand, of an engine without a model."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fix_media
import httpx
import openai
import pytest
import pytest_asyncio
from live import Live, live, until
from openai import AsyncOpenAI
from PIL import Image

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """A server with a model that makes pictures of anything, and one that needs a prompt."""
    root = tmp_path_factory.mktemp("media")
    models = {
        "sketcher": fix_media.settings(root, "sketcher", fix_media.SKETCHER),
        "painter": fix_media.settings(root, "painter", fix_media.PAINTER),
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as made:
            await made.house.fleet.load("painter")
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as opened:
        yield opened


def png(size: tuple[int, int] = (64, 64), colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def opened(text: str | None) -> Image.Image:
    assert text is not None
    return Image.open(io.BytesIO(base64.b64decode(text)))


RED, BLUE = png(), png(colour="blue")
MASK = png(colour="white")
CAT: dict[str, Any] = {"model": "painter", "prompt": "a cat"}


async def test_pictures_come_by_address_and_in_the_answer(
    client: AsyncOpenAI, http: httpx.AsyncClient
) -> None:
    made = await client.images.generate(**CAT, n=2, size="32x16", extra_body={"seed": 1})
    assert made.data is not None
    assert len(made.data) == 2
    assert (made.size, made.output_format, made.background) == ("32x16", "png", "opaque")
    for data, seed in zip(made.data, (1, 2), strict=True):
        picture = opened(data.b64_json)
        assert (picture.size, picture.format) == ((32, 16), "PNG")
        assert picture.getpixel((0, 0)) == (seed * 40, seed * 80, 200)
        assert (data.seed, data.revised_prompt) == (seed, None)
        fetched = await http.get(data.url)
        assert fetched.headers["content-type"] == "image/png"
        assert fetched.content == base64.b64decode(data.b64_json)
    assert (made.usage.input_tokens, made.usage.total_tokens) == (2, 2)
    assert made.usage.input_tokens_details.text_tokens == 2
    assert (made.usage.images, made.usage.steps) == (2, 6)


@pytest.mark.parametrize(("delivery", "there"), [("url", "url"), ("b64_json", "b64_json")])
async def test_caller_chooses_how_pictures_come(
    client: AsyncOpenAI, delivery: Any, there: str
) -> None:
    made = await client.images.generate(**CAT, response_format=delivery)
    assert made.data is not None
    (data,) = made.data
    told = {"url": data.url, "b64_json": data.b64_json}
    assert [name for name, value in told.items() if value is not None] == [there]


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
async def test_formats_are_those_asked_for(client: AsyncOpenAI, form: Any) -> None:
    made = await client.images.generate(**CAT, output_format=form)
    assert made.data is not None
    assert made.output_format == form
    assert opened(made.data[0].b64_json).format == form.upper()


@pytest.mark.parametrize(
    ("size", "made"),
    [("16x24", (16, 24)), ("16*24", (16, 24)), (" 16 X 24 ", (16, 24)), ("auto", (64, 64)),
     (None, (64, 64))],
)  # fmt: skip
async def test_sizes_are_written_in_either_way(
    http: httpx.AsyncClient, size: str | None, made: tuple[int, int]
) -> None:
    answer = await http.post("/v1/images/generations", json={**CAT, "size": size})
    assert opened(answer.json()["data"][0]["b64_json"]).size == made


async def test_options_stand_beside_the_prompt_or_inside_kwargs(http: httpx.AsyncClient) -> None:
    options = {"seed": 3, "num_inference_steps": 5, "guidance_scale": 1.5, "unheard_of": 1}
    ways: list[dict[str, Any]] = [
        {"json": {**CAT, **options}},
        {"json": {**CAT, "kwargs": json.dumps(options)}},
        {"json": {**CAT, "kwargs": options, "n": None}},
        {"json": {**CAT, "extra_body": options}},
        {"data": {**CAT, "kwargs": json.dumps(options)}, "files": {"image": RED}},
    ]
    for way in ways:
        body = (await http.post("/v1/images/generations", **way)).json()
        assert (body["data"][0]["seed"], body["usage"]["steps"]) == (3, 5)


EDITS = [
    ("edits", {"image": RED}),
    ("edits", {"image[]": RED}),
    ("edits", {"images": RED}),
    ("edits", {"images[]": RED}),
    ("edits", {"image": RED, "mask": MASK}),
    ("variations", {"image": RED}),
    ("inpainting", {"image": RED, "mask_image": MASK}),
]


@pytest.mark.parametrize(("path", "files"), EDITS)
async def test_pictures_are_taken_under_every_name(
    http: httpx.AsyncClient, path: str, files: dict[str, bytes]
) -> None:
    named = {name: ("image", data, "application/octet-stream") for name, data in files.items()}
    form = {**CAT, "n": "1", "response_format": "b64_json", "kwargs": "{}"}
    answer = await http.post(f"/v1/images/{path}", data=form, files=named)
    assert opened(answer.json()["data"][0]["b64_json"]).getpixel((0, 0)) == (255, 0, 0)


async def test_client_edits_one_picture_or_sends_several(client: AsyncOpenAI) -> None:
    for images in (RED, [RED, BLUE]):
        made = await client.images.edit(image=images, mask=MASK, **CAT)
        assert made.data is not None
        assert opened(made.data[0].b64_json).getpixel((0, 0)) == (255, 0, 0)


async def test_model_that_can_is_found_where_none_is_named(client: AsyncOpenAI) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        made = await client.images.create_variation(image=RED)
    assert made.data is not None
    assert made.model == "painter"  # type: ignore[attr-defined]  # beside what the client declares
    for name in ("gpt-image-1", "dall-e-2"):
        edited = await client.images.edit(image=RED, prompt="a cat", model=name)
        assert edited.model == "painter"  # type: ignore[attr-defined]  # as above


async def test_pictures_may_come_as_texts(http: httpx.AsyncClient) -> None:
    text = base64.b64encode(BLUE).decode()
    uri = f"data:image/png;base64,{text}"
    for given in (text, uri, [uri], {"image_url": uri}, [{"image_url": {"url": uri}}]):
        for name in ("image", "images"):
            body = {**CAT, name: given, "mask": {"image_url": uri}}
            answer = await http.post("/v1/images/edits", json=body)
            assert opened(answer.json()["data"][0]["b64_json"]).getpixel((0, 0)) == (0, 0, 255)


async def test_events_tell_steps_and_end_with_the_picture(client: AsyncOpenAI) -> None:
    stream = await client.images.generate(**CAT, stream=True, partial_images=2)
    events: list[Any] = [event async for event in stream]
    *steps, last = events
    assert [(e.type, e.step, e.steps) for e in steps] == [
        ("image_generation.step", step, 3) for step in (1, 2, 3)
    ]
    assert last.type == "image_generation.completed"
    assert opened(last.b64_json).size == (64, 64)
    assert (last.size, last.output_format) == ("64x64", "png")
    assert last.usage.total_tokens == 2


async def test_events_of_edits_tell_each_picture(http: httpx.AsyncClient) -> None:
    form = {**CAT, "n": "2", "stream": "true", "response_format": "url"}
    answer = await http.post("/v1/images/edits", data=form, files={"image": RED})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *heads, rest = answer.text.split("\n\n")
    assert rest == ""
    events = [json.loads(head.partition("\ndata: ")[2]) for head in heads]
    assert [head.partition("\n")[0] for head in heads] == [f"event: {e['type']}" for e in events]
    done = [event for event in events if event["type"] == "image_edit.completed"]
    assert [event["index"] for event in done] == [0, 1]
    assert [event["usage"]["images"] for event in done] == [0, 2]
    for event in done:
        assert event["b64_json"] is None
        assert (await http.get(event["url"])).status_code == 200


async def test_failure_in_the_middle_is_the_last_event(client: AsyncOpenAI) -> None:
    stream = await client.images.generate(model="painter", prompt="a !late cat", stream=True)
    first: Any = await anext(stream)
    assert first.type == "image_generation.step"
    with pytest.raises(openai.APIError, match="told to fail late") as caught:
        await anext(stream)
    assert caught.value.code == "engine_failed"


async def test_work_ends_when_the_caller_leaves(server: Live, http: httpx.AsyncClient) -> None:
    body = {"model": "painter", "prompt": "!more", "stream": True}
    async with http.stream("POST", "/v1/images/generations", json=body) as answer:
        await anext(answer.aiter_lines())
        assert server.house.fleet.model("painter").in_flight == 1
    await until(lambda: server.house.fleet.model("painter").in_flight == 0)


async def test_work_ends_when_a_caller_of_a_whole_answer_leaves(
    server: Live, http: httpx.AsyncClient
) -> None:
    asked = asyncio.create_task(
        http.post("/v1/images/generations", json={"model": "painter", "prompt": "!more"})
    )
    await until(lambda: server.house.fleet.model("painter").in_flight == 1)
    asked.cancel()
    await until(lambda: server.house.fleet.model("painter").in_flight == 0)


REFUSED: dict[str, tuple[dict[str, Any], str | None]] = {
    "no prompt": ({"prompt": ""}, "prompt"),
    "long prompt": ({"prompt": "word " * 9}, "prompt"),
    "no size": ({"size": "large"}, "size"),
    "no pixels": ({"size": "0x64"}, "size"),
    "endless size": ({"size": "99999x99999"}, "size"),
    "odd size": ({"size": "63x64"}, "size"),
    "no number": ({"n": 0}, "n"),
    "too many": ({"n": 1000}, "n"),
    "other format": ({"output_format": "gif"}, "output_format"),
    "other delivery": ({"response_format": "disk"}, "response_format"),
    "no background": ({"background": "transparent"}, "background"),
    "no steps": ({"num_inference_steps": 0}, "steps"),
    "strength of nothing": ({"strength": 0.5}, "strength"),
    "mask of nothing": ({"mask": base64.b64encode(MASK).decode()}, "mask"),
    "text for a number": ({"seed": "one"}, "seed"),
    "kwargs that are none": ({"kwargs": "{"}, "kwargs"),
    "no picture's text": ({"image": "%%"}, "image"),
    "forbidden address": ({"image": "http://127.0.0.1/x.png"}, "image"),
    "file of a disk": ({"image": "file:///etc/passwd"}, "image"),
    "no vector model": ({"model": "vectors"}, "model"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_made_is_refused_by_name(name: str, client: AsyncOpenAI) -> None:
    body, param = REFUSED[name]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.post("/images/generations", cast_to=object, body={**CAT, **body})
    assert caught.value.param == param


async def test_cut_prompts_are_told(http: httpx.AsyncClient) -> None:
    body = {"model": "painter", "prompt": "word " * 9, "truncate": "end"}
    answer = (await http.post("/v1/images/generations", json=body)).json()
    assert answer["usage"]["truncated"]
    assert answer["usage"]["input_tokens"] == 8


def bomb(side: int) -> bytes:
    """A black square whose file is small."""
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


FILES: dict[str, tuple[str, dict[str, bytes]]] = {
    "no picture": ("edits", {"other": RED}),
    "empty picture": ("edits", {"image": b""}),
    "drawing": ("edits", {"image": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}),
    "document": ("edits", {"image": b"%PDF-1.7\n"}),
    "cut off picture": ("edits", {"image": RED[:40]}),
    "bomb": ("edits", {"image": bomb(20_000)}),
    "mask of another size": ("edits", {"image": RED, "mask": png((32, 64))}),
    "broken mask": ("edits", {"image": RED, "mask": b"GIF89a"}),
    "no mask": ("inpainting", {"image": RED}),
    "no picture to vary": ("variations", {"mask": MASK}),
}


@pytest.mark.parametrize("name", FILES)
async def test_files_that_are_no_pictures_are_refused(name: str, http: httpx.AsyncClient) -> None:
    path, files = FILES[name]
    answer = await http.post(f"/v1/images/{path}", data=CAT, files=files)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_input"


async def test_model_for_prompts_alone_is_not_asked_to_edit(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/images/edits", data={"prompt": "a"}, files={"image": RED})
    assert answer.json()["model"] == "painter"


@pytest.mark.parametrize("way", ["", "/", "/x", "/x.png", "/%2e%2e/v1/models", "/..%2fx"])
async def test_pictures_cannot_be_listed_or_guessed(way: str, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/files/images{way}")).status_code == 404


async def test_answers_to_many_at_once_do_not_mix(client: AsyncOpenAI) -> None:
    async def colour(seed: int) -> tuple[int, ...]:
        made = await client.images.generate(**CAT, extra_body={"seed": seed})
        assert made.data is not None
        pixel = opened(made.data[0].b64_json).getpixel((0, 0))
        assert isinstance(pixel, tuple)
        return pixel

    colours = await asyncio.gather(*(colour(seed) for seed in range(6)))
    assert [pixel[0] for pixel in colours] == [seed * 40 for seed in range(6)]


async def test_addresses_begin_as_the_settings_say_and_need_no_key(tmp_path: Path) -> None:
    models = {"painter": fix_media.settings(tmp_path, "painter", fix_media.PAINTER)}
    settings: dict[str, Any] = {"models": models, "api_keys": ["sesame"]}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with (
            live(**settings, public_url="https://pictures.example/stelae/") as one,
            httpx.AsyncClient(base_url=one.url) as http,
        ):
            key = {"authorization": "Bearer sesame"}
            answer = await http.post("/v1/images/generations", json=CAT, headers=key)
            url = answer.json()["data"][0]["url"]
            begin, _, name = url.rpartition("/")
            assert begin == "https://pictures.example/stelae/files/images"
            assert (await http.get(f"/files/images/{name}")).status_code == 200
            for host in ("pictures.example:99", "x/health?", "[", "a b", "x@y"):
                answer = await http.post(
                    "/v1/images/generations", json=CAT, headers={**key, "host": host}
                )
                assert answer.status_code in {200, 400}


async def test_without_a_model_that_can_nothing_is_found(tmp_path: Path) -> None:
    sketcher = {**fix_media.settings(tmp_path, "sketcher", fix_media.SKETCHER)}
    models = {"sketcher": {**sketcher, "aliases": ["dall-e-3"]}}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as one, httpx.AsyncClient(base_url=one.url) as http:
            named = {"prompt": "a cat", "model": "dall-e-3", "response_format": "url"}
            made = await http.post("/v1/images/generations", json=named)
            assert made.json()["model"] == "sketcher"
            answer = await http.post("/v1/images/variations", files={"image": RED})
            assert answer.status_code == 404
            assert "image-to-image" in answer.json()["error"]["message"]


async def test_forgotten_pictures_are_gone(tmp_path: Path) -> None:
    models = {"painter": fix_media.settings(tmp_path, "painter", fix_media.PAINTER)}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with (
            live(models=models, gallery={"pictures": 1}) as one,
            httpx.AsyncClient() as http,
        ):
            body = {**CAT, "n": 2, "response_format": "url"}
            answer = await http.post(f"{one.url}/v1/images/generations", json=body)
            first, second = (data["url"] for data in answer.json()["data"])
            assert (await http.get(second)).status_code == 200
            gone = await http.get(first)
            assert gone.status_code == 404
            assert gone.json()["error"]["code"] == "not_found"


async def test_picture_too_large_to_be_kept_comes_in_the_answer(tmp_path: Path) -> None:
    models = {"painter": fix_media.settings(tmp_path, "painter", fix_media.PAINTER)}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with (
            live(models=models, gallery={"bytes": 10}) as one,
            httpx.AsyncClient(base_url=one.url) as http,
        ):
            (data,) = (await http.post("/v1/images/generations", json=CAT)).json()["data"]
            assert data["url"] is None
            assert opened(data["b64_json"]).size == (64, 64)
            body = {**CAT, "response_format": "url"}
            answer = await http.post("/v1/images/generations", json=body)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "response_format")
