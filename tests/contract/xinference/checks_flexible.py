"""What handles of flexible models find, and those of videos and worlds; see ``either.py``."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import xinference_client.client.restful.async_restful_client as aside
import xinference_client.client.restful.restful_client as straight
from checks_embedding import picture
from either import OLD, Place, Skip, Spoken, fresh

__all__ = ["Place", "Skip"]


def uri(data: bytes) -> str:
    """The picture as a data URI."""
    return f"data:image/png;base64,{b64encode(data).decode()}"


def handle(place: Place, kind: str, uid: str) -> Spoken:
    """A handle that no model here has, as ``get_model`` would make it."""
    module: Any = aside if place.is_async else straight
    name = f"{'Async' if place.is_async else ''}RESTful{kind}ModelHandle"
    if not hasattr(module, name):
        raise Skip(f"there is no {name}")
    return Spoken(getattr(module, name)(uid, place.url, {}))


def answered(place: Place) -> None:
    """The asynchronous client before 3.0 lets go of the answer before it is read."""
    if place.is_async and OLD:
        raise Skip("infer takes no arguments by place and returns no answer")


async def check_flexible_finds(place: Place) -> None:
    """`infer` of a model that finds objects: one picture or several, and options"""
    answered(place)
    async with place.launched(model_name="detr", model_type="flexible") as (c, uid):
        model = await c.get_model(uid)
        assert "FlexibleModelHandle" in type(model.inner).__name__
        found = await model.infer(uri(picture()), threshold=0.0)
        assert {"label", "score", "bbox"} == found["objects"][0].keys()
        several = await model.infer(image=[uri(picture()), uri(picture(255))], threshold=0.0)
        assert len(several) == 2
        await place.raised(model.infer(), "Failed to predict, detail: ", "args is empty")


async def check_flexible_compares(place: Place) -> None:
    """`infer` of CLIP: vectors of texts and pictures, and classes of a picture"""
    answered(place)
    flexible = handle(place, "Flexible", "clip")
    vectors = await flexible.infer(["a cat", {"image": uri(picture())}])
    assert len(vectors) == 2
    assert len(vectors[0]) == len(vectors[1])
    labels = ["a cat", "a dog"]
    ranked = await flexible.infer(image=uri(picture()), candidate_labels=labels)
    assert {row["label"] for row in ranked} == set(labels)
    assert ranked[0]["score"] >= ranked[1]["score"]
    await flexible.close()


async def check_video(place: Place) -> None:
    """Videos are refused in so many words, of unknown models too"""
    model = handle(place, "Video", "clip")
    start = "Failed to create the video"
    await place.raised(model.text_to_video("a town"), f"{start}, detail: ", "no engine")
    shown = picture()
    call = model.image_to_video(shown, "a town", negative_prompt="rain", n=2, seed=7)
    await place.raised(call, f"{start} from image, detail: ", "no engine", "videos")
    call = model.flf_to_video(shown, shown, "a town")
    await place.raised(call, f"{start} from image, detail: ", "no engine", "videos")
    await model.close()
    nobody = handle(place, "Video", fresh("nobody"))
    await place.raised(nobody.text_to_video("a town"), f"{start}, detail: ", "nobody")
    await nobody.close()


async def check_world(place: Place) -> None:
    """Worlds are refused in so many words"""
    model = handle(place, "World", "clip")
    call = model.generate("a town", image=picture(), generation_config={"a": 1})
    await place.raised(call, "Failed to generate the world, detail: ", "no engine", "worlds")
    await model.close()
