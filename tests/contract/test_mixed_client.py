"""Texts and pictures in all their forms in one call of the client, to a trained model."""

from __future__ import annotations

import asyncio
import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from live import live
from PIL import Image, ImageDraw
from repo import ROOT

from stelae import AsyncClient, Client

pytest.importorskip("stelae.engines.encoder.engine")  # torch, before threads import it

pytestmark = pytest.mark.timeout(120)

SHAPES = ROOT / "tests" / "data" / "clip-shapes"


def red_circle() -> Image.Image:
    image = Image.new("RGB", (32, 32), (240, 240, 240))
    ImageDraw.Draw(image).ellipse((6, 6, 26, 26), fill=(220, 30, 30))
    return image


async def test_a_picture_is_the_same_in_every_form(tmp_path: Path) -> None:
    image, file = red_circle(), BytesIO()
    image.save(file, "PNG")
    path = tmp_path / "circle.png"
    image.save(path)
    uri = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    items = [path, "a red circle", image, file.getvalue(), uri, np.asarray(image)]
    async with live(models={"shapes": {"source": str(SHAPES)}}) as server:
        async with AsyncClient(server.url) as client:
            found = await client.encode(items, model="shapes")
        with Client(server.url) as client:
            again = await asyncio.to_thread(client.encode, items, model="shapes")
    vectors = np.asarray(found.dense)
    text, pictures = vectors[1], np.delete(vectors, 1, axis=0)
    np.testing.assert_allclose(pictures, np.broadcast_to(pictures[0], pictures.shape), atol=1e-6)
    assert np.abs(text - pictures[0]).max() > 0.1
    np.testing.assert_allclose(np.asarray(again.dense), vectors, atol=1e-6)
