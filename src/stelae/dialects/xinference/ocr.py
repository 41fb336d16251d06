"""Text of pictures, by models that write down what they see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.spec import ModelSpec
from stelae.dialects.answers import json_answer
from stelae.dialects.ask import chat, extract
from stelae.dialects.base import REFUSALS, Operation, Rooms
from stelae.dialects.items import sent_file, told_file
from stelae.dialects.uploads import Form, asked
from stelae.dialects.writing import gather
from stelae.errors import InvalidInput, UnsupportedTask, from_info
from stelae.types import (
    ChatCall,
    ExtractCall,
    ImagePart,
    Item,
    Message,
    Modality,
    Sampling,
    Speaker,
    Task,
    TextPart,
)

PROMPT = "Write down all the text in this picture, line by line, and nothing else."
"""What models that talk are asked, if the caller does not say."""

PDF = b"%PDF-"


class OcrRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/images/ocr`` takes: a form with the picture as ``image``, or JSON.

    Xinference's ``kwargs`` (an object, or its JSON text) is read as if its fields stood beside it.

    Attributes:
        model: Name of the model: one that writes down what pictures say, or one that talks and
            sees.
        image: The picture, if it is no file of the form: base64 text, a data URI, or an
            ``http(s)`` address that the server may fetch.
        prompt: What to ask the model, in words that it knows.
        task: The same.
        max_tokens: Longest text in tokens.
        max_new_tokens: The same.
    """

    model: str
    image: Any = None
    prompt: str | None = None
    task: str | None = None
    max_tokens: int | None = None
    max_new_tokens: int | None = None

    @property
    def instruction(self) -> str | None:
        """What to ask the model, if that is said."""
        return self.prompt or self.task

    @property
    def longest(self) -> int | None:
        """Longest text in tokens."""
        return self.max_tokens if self.max_new_tokens is None else self.max_new_tokens


async def ocr(request: Request, rooms: Rooms) -> Response:
    """Write down what a picture says."""
    form, files = await asked(request, OcrRequest)
    picture = await _picture(form, files, rooms)
    spec = await rooms.fleet.spec(form.model)
    return json_answer(await _reader(spec)(request, rooms, form, spec, picture))


async def _picture(form: OcrRequest, files: Form, rooms: Rooms) -> bytes:
    """The picture that came with a request.

    Raises:
        InvalidInput: There is none, or it is a document of pages.
    """
    file = files.file("image")
    if file is None and form.image is None:
        raise InvalidInput(
            "image: there is no picture; send a form (multipart/form-data) with its file as "
            "'image'",
            param="image",
        )
    if file is None:
        data = await told_file(form.image, rooms.fetcher, "image")
    else:
        data = await sent_file(file, rooms.fetcher)
    if data.startswith(PDF):
        raise InvalidInput(
            "image: a PDF was sent; send its pages as pictures, one at a time", param="image"
        )
    return data


Reader = Callable[[Request, Rooms, OcrRequest, ModelSpec, bytes], Awaitable[Any]]


def _reader(spec: ModelSpec) -> Reader:
    """How a model writes down what a picture says.

    Raises:
        UnsupportedTask: It does not.
    """
    if spec.reads_pictures:
        return _extracted
    if Task.CHAT in spec.answers and Modality.IMAGE in spec.inputs:
        return _written
    raise UnsupportedTask(
        f"model {spec.name!r} does not read pictures aloud; it can {', '.join(spec.answers)}. Ask "
        "a chat model that sees, or one such as Florence-2",
        param="model",
    )


async def _extracted(
    request: Request, rooms: Rooms, form: OcrRequest, spec: ModelSpec, picture: bytes
) -> Any:
    """What a model for documents finds: the text, or fields if it finds more."""
    reading = spec.extraction.reading if spec.extraction else None
    call = ExtractCall(
        model=form.model,
        items=[Item(image=picture)],
        instruction=form.instruction or reading or None,
        max_new_tokens=form.longest,
    )
    result = await extract(request, rooms, call)
    if (info := result.errors.get(0)) is not None:
        raise from_info(info)
    data = result.items[0].data
    return data["text"] if data.keys() == {"text"} else data


async def _written(
    request: Request, rooms: Rooms, form: OcrRequest, spec: ModelSpec, picture: bytes
) -> Any:
    """What a model that talks says of it, the likeliest each time."""
    del spec
    call = ChatCall(
        model=form.model,
        messages=[
            Message(
                role=Speaker.USER,
                content=[ImagePart(image=picture), TextPart(text=form.instruction or PROMPT)],
            )
        ],
        reasoning=False,
        sampling=Sampling(temperature=0.0, max_tokens=form.longest),
    )
    gathered = await gather(chat(request, rooms, call), call.n)
    return gathered.texts[0].text


OCR_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/images/ocr",
        handle=ocr,
        summary="Write down what a picture says; a form with `image`.",
        request=OcrRequest,
        example={"model": "reader", "image": "https://example.com/page.png"},
        takes=("multipart/form-data", "application/json"),
        errors=REFUSALS,
    ),
)
