"""What numbers of ``config.json`` may be; each ``Config`` states its fields in these words.

A number out of range is refused when the file is read, before anything is built of it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
"""How many of something a table has."""

Width = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
"""Numbers of a vector, or of a part of it."""

Layers = Annotated[int, msgspec.Meta(ge=1, le=1024)]
"""How often something is built; no checkpoint known has a quarter of it."""

Epsilon = Annotated[float, msgspec.Meta(gt=0, le=1)]
"""What keeps a normalisation from dividing by zero."""

Positive = Annotated[float, msgspec.Meta(gt=0, le=1e18)]
"""A finite number above zero."""
