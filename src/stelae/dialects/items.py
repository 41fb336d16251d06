"""Items that requests tell by objects: a text, a picture or a recording.

Several protocols write them alike: ``{"text": ...}``, ``{"image": ...}`` with an address or
base64, a part of a message (``{"type": "image_url", "image_url": {"url": ...}}``), or a message
with one part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stelae.dialects.uploads import Upload
from stelae.dialects.writing import base64_picture, picture
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.security.places import is_data
from stelae.types import Item

TEXTS = ("text",)
PICTURES = ("image", "image_url", "image_base64")
RECORDINGS = ("audio", "audio_url", "input_audio")
UNREAD = ("video", "video_url")
"""Fields that tell what an item is."""

ADDRESSES = ("image_url", "url", "b64_json", "data")
"""Fields of an object that tell a file."""

DEEPEST = 8
"""Messages and parts within each other."""


async def told_items(given: object, fetcher: Fetcher, place: str = "input") -> dict[int, Item]:
    """The items among inputs that are told by objects, by their index.

    Args:
        given: One input or a list of them; texts and token ids are passed over.
        fetcher: Gets files that stand elsewhere, if it may.
        place: Where they stand, for errors.

    Raises:
        InvalidInput: An object tells no item, several, or one that cannot be read.
    """
    if isinstance(given, dict):
        return {0: await told_item(given, fetcher, place)}
    if not isinstance(given, list):
        return {}
    objects = [(index, one) for index, one in enumerate(given) if isinstance(one, dict)]
    return {index: await told_item(one, fetcher, f"{place}[{index}]") for index, one in objects}


async def told_item(given: Mapping[str, object], fetcher: Fetcher, place: str) -> Item:
    """The item that an object tells.

    Raises:
        InvalidInput: It tells none, several, or one that cannot be read.
    """
    parts = list(_parts(given, place))
    if len(parts) != 1:
        raise InvalidInput(
            f"{place} has {len(parts)} of text, image and audio; one was expected, as in "
            '{"text": "..."}',
            param=place,
        )
    name, value = parts[0]
    if name in UNREAD:
        raise InvalidInput(
            f"{place}.{name}: no model here reads videos; give text, image or audio", param=place
        )
    where = f"{place}.{name}"
    if name in TEXTS:
        return Item(text=_text(value, where))
    data = await told_file(value, fetcher, where)
    return Item(image=data) if name in PICTURES else Item(audio=data)


async def told_file(given: object, fetcher: Fetcher, place: str) -> bytes:
    """A file told by base64 text, a data URI, an ``http(s)`` address, or an object with one.

    Raises:
        InvalidInput: It is none of these, may not be fetched, or is too large.
    """
    while isinstance(given, dict):
        given = next((given[key] for key in ADDRESSES if given.get(key)), None)
    if not isinstance(given, str):
        raise InvalidInput(
            f"{place}: a file is base64 text, a data URI or an address, or comes with a form",
            param=place,
        )
    if is_address(given):
        return await picture(fetcher, given, place)
    return base64_picture(fetcher, given, place)


async def sent_file(file: Upload, fetcher: Fetcher) -> bytes:
    """A file that came with a form.

    # Quirk: xinference-client takes an address for a picture and sends it as the content of a file.

    Raises:
        InvalidInput: It is an address that cannot be read, or may not be fetched.
    """
    if not file.data[:8].lower().startswith((b"http://", b"https://", b"data:")):
        return file.data
    return await told_file(file.data.decode("utf-8", "replace"), fetcher, file.field)


def is_address(text: str) -> bool:
    """Whether a text is a data URI or an ``http(s)`` address."""
    return is_data(text) or text[:8].lower().startswith(("http://", "https://"))


def _parts(given: object, place: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """What an object tells, or the parts of a message: fields by name."""
    if not isinstance(given, Mapping) or depth > DEEPEST:
        raise InvalidInput(
            f"{place}: an object with text, image or audio was expected", param=place
        )
    content = given.get("content")
    if isinstance(content, str):
        yield "text", content
    elif content is not None:
        for part in content if isinstance(content, list) else [content]:
            yield from _parts(part, f"{place}.content", depth + 1)
    for name in (*TEXTS, *PICTURES, *RECORDINGS, *UNREAD):
        if given.get(name) is not None:
            yield name, given[name]


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{place}: a text was expected", param=place)
    return value
