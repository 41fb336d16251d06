"""What is asked of models for pictures, sound and films. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stelae.wire import data_uri
from stelae.xinference._asks import Ask, FileLike, FilePart, extras, file_bytes, file_part

GENERATE = "Failed to create the images"
VARY = "Failed to variants the images"
EDIT = "Failed to edit the images"
INPAINT = "Failed to inpaint the images"
OCR = "Failed to ocr the images"
SPEAK = "Failed to speech the text"
FILM = "Failed to create the video"
FILM_OF = "Failed to create the video from image"
WORLD = "Failed to generate the world"

Files = Mapping[str, FileLike | None]


def wish(prompt: str, n: int, size: str | None, response_format: str) -> dict[str, object]:
    """What every call for pictures says of them; see ``ImageModelHandle.text_to_image``."""
    return {"prompt": prompt, "n": n, "size": size, "response_format": response_format}


def generation(uid: str, fields: Mapping[str, Any], more: Mapping[str, Any]) -> Ask:
    """Pictures of a prompt."""
    body = {"model": uid, **fields, "kwargs": extras(more)}
    return Ask(what=GENERATE, method="POST", path="/v1/images/generations", body=body)


def variation(
    uid: str,
    image: FileLike | list[FileLike],
    fields: Mapping[str, Any],
    more: Mapping[str, Any],
) -> Ask:
    """Pictures of pictures and a prompt."""
    given = image if isinstance(image, list) else [image]
    files = [file_part("image", each) for each in given]
    return _form(VARY, "/v1/images/variations", uid, fields, more, files)


def edit(
    uid: str,
    images: FileLike | list[FileLike],
    mask: FileLike | None,
    fields: Mapping[str, Any],
    more: Mapping[str, Any],
) -> Ask:
    """Pictures changed as a prompt says; one picture has another field than several."""
    given = images if isinstance(images, list) else [images]
    if len(given) == 1:
        files = [file_part("images", given[0], "image")]
    else:
        files = [file_part("images[]", each, f"image_{i}") for i, each in enumerate(given)]
    files += _parts({"mask": mask})
    return _form(EDIT, "/v1/images/edits", uid, fields, more, files)


def inpainting(uid: str, files: Files, fields: Mapping[str, Any], more: Mapping[str, Any]) -> Ask:
    """A part of a picture made anew."""
    parts = _parts(files)
    return _form(INPAINT, "/v1/images/inpainting", uid, fields, more, parts)


def reading(uid: str, image: FileLike, more: Mapping[str, Any]) -> Ask:
    """What stands in a picture."""
    return _form(OCR, "/v1/images/ocr", uid, {}, more, _parts({"image": image}))


def hearing(
    verb: str, uid: str, audio: FileLike, fields: Mapping[str, Any], more: Mapping[str, Any] | None
) -> Ask:
    """What is said in a recording.

    Args:
        verb: ``transcribe`` or ``translate``.
        uid: The model.
        audio: The recording.
        fields: The protocol's own arguments.
        more: Others; ``None`` where there can be none.
    """
    what = f"Failed to {verb} the audio"
    path = {"transcribe": "transcriptions", "translate": "translations"}[verb]
    parts = _parts({"file": audio})
    return _form(what, f"/v1/audio/{path}", uid, fields, more, parts)


def speech(uid: str, fields: Mapping[str, Any], files: Files, more: Mapping[str, Any]) -> Ask:
    """A text read out; as a form if there are voices to read it with."""
    parts = _parts(files)
    path = "/v1/audio/speech"
    if parts:
        return _form(SPEAK, path, uid, fields, more, parts)
    body = {"model": uid, **fields, "kwargs": extras(more)}
    return Ask(what=SPEAK, method="POST", path=path, body=body)


def voice(uid: str, audio: FileLike) -> Ask:
    """The vector of a voice."""
    what = "Failed to create the audio embedding"
    return _form(what, "/v1/audio/embeddings", uid, {}, None, _parts({"file": audio}))


def film(uid: str, fields: Mapping[str, Any], more: Mapping[str, Any]) -> Ask:
    """A film of a prompt."""
    body = {"model": uid, **fields, "kwargs": extras(more)}
    return Ask(what=FILM, method="POST", path="/v1/video/generations", body=body)


def film_of_image(
    uid: str, files: Files, fields: Mapping[str, Any], more: Mapping[str, Any]
) -> Ask:
    """A film that begins with a picture."""
    parts = _parts(files)
    return _form(FILM_OF, "/v1/video/generations/image", uid, fields, more, parts)


def film_between(
    uid: str,
    first: FileLike,
    last: FileLike,
    fields: Mapping[str, Any],
    more: Mapping[str, Any],
) -> Ask:
    """A film between two pictures."""
    parts = [
        file_part("first_frame", first, "image"),
        file_part("last_frame", last, "image"),
    ]
    return _form(FILM_OF, "/v1/video/generations/flf", uid, fields, more, parts)


def world(
    uid: str,
    prompt: str,
    files: Files,
    config: Mapping[str, Any] | None,
    more: Mapping[str, Any],
) -> Ask:
    """A world of a prompt; pictures and films are told as addresses."""
    told = {"model": uid, "prompt": prompt, **{n: _address(v, n) for n, v in files.items()}}
    body = {**told, "generation_config": config or {}, "extra_body": more}
    return Ask(what=WORLD, method="POST", path="/v1/worlds/generations", body=body)


def _address(file: FileLike | None, name: str) -> str | None:
    if file is None or isinstance(file, str):
        return file
    media = {"image": "image/png", "video": "video/mp4"}[name]
    return data_uri.written(file_bytes(file, name), media)


def _parts(files: Files) -> list[FilePart]:
    given = {name: file for name, file in files.items() if file is not None}
    return [file_part(name, file) for name, file in given.items()]


def _form(
    what: str,
    path: str,
    uid: str,
    fields: Mapping[str, Any],
    more: Mapping[str, Any] | None,
    files: list[FilePart],
) -> Ask:
    told = {"model": uid, **fields}
    if more is not None:
        told["kwargs"] = extras(more)
    return Ask(what=what, method="POST", path=path, fields=told, files=files)
