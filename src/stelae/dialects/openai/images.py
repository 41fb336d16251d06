"""OpenAI's images, and the picture that an answer's address leads to."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun, image
from stelae.dialects.base import (
    REFUSALS,
    Handle,
    Operation,
    Rooms,
    address_of,
    hold_of,
    record_of,
)
from stelae.dialects.events import EventsResponse
from stelae.dialects.openai.convert import fields_as_sent
from stelae.dialects.openai.ended import ended
from stelae.dialects.openai.images_read import Wanted, any_of, image_call, is_open, mode_of
from stelae.dialects.openai.images_schema import ImageRequest, ImagesResponse
from stelae.dialects.openai.images_write import Exhibit
from stelae.dialects.uploads import asked
from stelae.errors import ModelNotFound, NotFound
from stelae.types import ImageCall, ImageFormat

PLACE = "/files/images"
"""Where pictures are fetched from."""

SENT = {"format": "output_format", "lora": "lora_name"}
"""Fields of a call that requests have under other names."""


def _made(name: str, wanted: Wanted) -> Handle:
    """Makes pictures: of a prompt, or of what is given."""
    kind = "image_edit" if wanted.given else "image_generation"

    async def handle(request: Request, rooms: Rooms) -> Response:
        read, files = await asked(request, ImageRequest)
        call = await image_call(read, files, wanted, rooms.fetcher)
        call = replace(call, model=_model(rooms, call))
        record_of(request).called = read.request_id or ""
        with fields_as_sent(ImageCall, ImageRequest, SENT):
            made = await begun(image(request, rooms, call))
            exhibit = Exhibit(
                model=record_of(request).model,
                format=call.format,
                delivery=read.response_format,
                hang=_hanging(request, rooms, call.format),
                hold=hold_of(request),
            )
            if not read.stream:
                return json_answer(await exhibit.whole(made))
        return EventsResponse(ended(request, exhibit.events(made, kind)))

    handle.__name__ = name
    return handle


def _model(rooms: Rooms, call: ImageCall) -> str:
    if not is_open(call.model):
        return call.model
    try:
        return rooms.fleet.model(call.model).name  # somebody may have named a model so
    except ModelNotFound:
        mode = mode_of(call)
        return any_of(rooms.fleet.painting(mode), mode)


def _hanging(request: Request, rooms: Rooms, form: ImageFormat) -> Callable[[bytes], str]:
    """Keeps pictures for the request's caller; see ``Exhibit.hang``."""
    here = address_of(request, rooms.about)

    def hang(data: bytes) -> str:
        return f"{here}{PLACE}/{rooms.gallery.put(data, form)}"

    return hang


async def get_picture(request: Request, rooms: Rooms) -> Response:
    """A picture, for whoever knows its address."""
    picture = rooms.gallery.get(request.path_params["name"])
    headers = {
        "Cache-Control": f"private, max-age={rooms.gallery.left(picture)}, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(picture.data, 200, headers, picture.format.media)


MEDIA = ("application/json", "text/event-stream")

PIXEL = "data:image/gif;base64,R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
"""A picture of one pixel, for examples."""

ASKED = {"model": "sd-turbo", "prompt": "A lighthouse at dusk"}


def _operation(name: str, wanted: Wanted, summary: str, **given: str) -> Operation:
    return Operation(
        method="POST",
        path=f"/v1/images/{name}",
        handle=_made(f"image_{name}", wanted),
        summary=summary,
        request=ImageRequest,
        example=ASKED | given,
        response=ImagesResponse,
        errors=REFUSALS,
        media=MEDIA,
    )


IMAGE_OPERATIONS = (
    _operation("generations", Wanted(given=False), "Make pictures of a prompt.", size="512x512"),
    _operation(
        "edits",
        Wanted(),
        "Change a picture, or what a mask marks; a form with `image`.",
        image=PIXEL,
    ),
    _operation("variations", Wanted(), "Make pictures like one; a form with `image`.", image=PIXEL),
    _operation(
        "inpainting",
        Wanted(masked=True),
        "Make anew what a mask marks; a form with `image` and `mask_image`.",
        image=PIXEL,
        mask_image=PIXEL,
    ),
    Operation(
        method="GET",
        path=f"{PLACE}/{{name}}",
        handle=get_picture,
        summary="A picture that was made a while ago.",
        errors=(NotFound,),
        media=tuple(form.media for form in ImageFormat),
        open=True,
    ),
)
