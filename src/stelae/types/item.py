"""One thing to encode, to score or to look into."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types.lazy import np


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to encode, to score or to look into: exactly one of its forms is given.

    Attributes:
        text: The text as written; prompts are added by the server.
        token_ids: Ids of this model's own tokenizer, without special tokens.
        image: A picture as the bytes of its file (in JSON: base64).
        pixels: A picture as numbers, shape ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``.
        audio: A recording as the bytes of its file (in JSON: base64).
        multivector: Token vectors made before, shape ``(T, D)``; for scores by late
            interaction.
        id: The caller's name for the item, returned with its result.
        metadata: Anything; carried by the client, never sent on.
    """

    text: str | None = None
    token_ids: list[int] | None = None
    image: bytes | None = None
    pixels: np.typing.NDArray[Any] | None = None
    audio: bytes | None = None
    multivector: np.typing.NDArray[Any] | None = None
    id: str | None = None
    metadata: dict[str, Any] | None = None
