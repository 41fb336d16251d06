"""Pictures to look at."""

from __future__ import annotations

import numpy as np
from PIL import Image


def blots(height: int, width: int, seed: int = 0) -> Image.Image:
    """A picture of soft blots of colour; two of them differ in every part."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 12), max(2, width // 12), 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
