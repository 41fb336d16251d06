"""How far photos that JPEG decodes at a smaller scale are from those that it decodes whole."""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks import report

TARGET = 224
"""Shorter side that CLIP's models resize to."""


def main(arguments: Sequence[str]) -> None:
    """Print a row for each size of photo and each scale."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks jpeg_draft", description=__doc__)
    parser.add_argument("--photos", nargs="+", type=int, default=[2, 3, 5, 9], help="per side")
    parser.add_argument("--keep", nargs="+", type=float, default=[1, 2, 3, 4, 8])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    report.machine("pillow", "scikit-learn")
    rows: list[tuple[object, ...]] = []
    for count in options.photos:
        data = mosaic(count)
        whole, size, cost = resized(data, None, options.rounds)
        rows.append((f"{size[0]} x {size[1]}", "whole", f"{cost:.1f}", "", "", "", ""))
        for keep in options.keep:
            found, scaled, cost = resized(data, keep, options.rounds)
            if scaled != size:
                row = (f"at least {keep:g} x {TARGET}", f"{cost:.1f}", *distance(found, whole))
                rows.append((f"  {scaled[0]} x {scaled[1]}", *row))
    columns = ("decoded", "kept", "ms", "mean", "99 %", "most", "correlation")
    report.table("JPEG at a smaller scale, grey levels from decoding whole", columns, rows)


def mosaic(count: int) -> bytes:
    """A JPEG file of ``count`` by ``count`` photos, some of them mirrored, as a camera saves it."""
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    width, height = photos[0].size
    chance = np.random.default_rng(count)
    whole = Image.new("RGB", (width * count, height * count))
    for place in range(count**2):
        photo = photos[chance.integers(len(photos))]
        if chance.integers(2):
            photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        whole.paste(photo, (place % count * width, place // count * height))
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=90)
    return file.getvalue()


def resized(
    data: bytes, keep: float | None, rounds: int
) -> tuple[NDArray[np.float64], tuple[int, int], float]:
    """A file at CLIP's size, and what that took.

    Args:
        data: The file.
        keep: Sides are decoded at no less than so many times the ones that are wanted;
            ``None`` decodes whole.
        rounds: The least of so many times counts.

    Returns:
        Pixels; width and height as decoded; milliseconds of processor time.
    """
    best = float("inf")
    for _ in range(rounds):
        started = time.thread_time()
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            short = min(width, height)
            wanted = (TARGET * width // short, TARGET * height // short)
            if keep is not None:
                image.draft("RGB", (int(wanted[0] * keep), int(wanted[1] * keep)))
            image.load()
            size = image.size
            small = image.resize(wanted, Image.Resampling.BICUBIC)
        best = min(best, time.thread_time() - started)
    return np.asarray(small, np.float64), size, best * 1e3


def distance(found: NDArray[np.float64], whole: NDArray[np.float64]) -> tuple[str, str, str, str]:
    """Mean, 99th percentile and largest difference, and the correlation."""
    far = np.abs(found - whole)
    alike = np.corrcoef(found.ravel(), whole.ravel())[0, 1]
    return f"{far.mean():.2f}", f"{np.percentile(far, 99):.0f}", f"{far.max():.0f}", f"{alike:.5f}"
