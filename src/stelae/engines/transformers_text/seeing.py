"""Language models that see: pictures of conversations among their tokens.

Of the library's classes those are here whose pictures take one token per patch, with three
positions each (time, height, width). Source: Wang et al. 2024 (arXiv:2409.12191), section 2.1.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.chat.stepping import Share
from stelae.engines.transformers_text.attention import NAME, Memory
from stelae.engines.transformers_text.model import LIBRARY_ERRORS, PackedModel
from stelae.errors import InvalidInput, ModelLoadFailed
from stelae.images.colours import rgb
from stelae.images.decode import decode
from stelae.images.limits import LIMITS, Limits


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The pictures of one conversation, as the model sees them.

    Attributes:
        places: Where their tokens are, shape ``(M,)``.
        features: What stands there in place of words, shape ``(M, H)``.
        positions: Of the conversation's tokens, shape ``(3, T)``.
        shift: What is added to the position of a token behind the conversation.
    """

    places: Tensor
    features: Tensor
    positions: Tensor
    shift: int


@dataclass(slots=True, eq=False)
class Sight:
    """The pictures of one conversation.

    Attributes:
        pixels: Of all patches, shape ``(P, D)``; none once the model has looked.
        grids: Patches of each picture in time, height and width, shape ``(N, 3)``.
        counts: Tokens that each takes.
        ids: Tokens of the conversation, once they are known.
        seen: What the model sees, once it has looked.
    """

    pixels: Tensor
    grids: Tensor
    counts: tuple[int, ...]
    ids: tuple[int, ...] = ()
    seen: Seen | None = None


class PatchEyes:
    """Reads pictures as the library's own processor does; see ``Eyes``.

    Args:
        processor: The library's.
        token: The token that stands for a picture.
        limits: How large a picture may be.
    """

    def __init__(self, processor: Any, token: int, limits: Limits = LIMITS) -> None:
        self._processor, self._token, self._limits = processor, token, limits
        self._lock = threading.Lock()  # the library's processors say nothing of threads

    def look(self, images: Sequence[bytes]) -> Sight:
        """Pictures ready to run."""
        read = [rgb(decode(image, self._limits)) for image in images]
        with self._lock:
            made = self._processor(read, return_tensors="pt")
        grids: Tensor = made["image_grid_thw"]
        merged = self._processor.merge_size**2
        counts = tuple(int(patches) // merged for patches in grids.prod(-1))
        return Sight(made["pixel_values"], grids, counts)

    def expand(self, ids: Sequence[int], sight: Sight) -> list[int]:
        """A conversation in which each picture takes as many tokens as it has."""
        found = sum(token == self._token for token in ids)
        if found != len(sight.counts):
            raise InvalidInput(
                f"messages: the template of the model has {found} places for "
                f"{len(sight.counts)} pictures; one for each was expected",
                param="messages",
            )
        sight.ids = tuple(self._expanded(ids, iter(sight.counts)))
        return list(sight.ids)

    def _expanded(self, ids: Sequence[int], counts: Iterator[int]) -> Iterator[int]:
        for token in ids:
            yield from [token] * (next(counts) if token == self._token else 1)


class SeeingModel(PackedModel):
    """A model that sees, run step by step."""

    @staticmethod
    def pack_attention(model: Any) -> None:
        """Let texts, not pictures, be attended to by our own attention."""
        model.set_attn_implementation({"text_config": NAME, "vision_config": "sdpa"})

    def _inputs(self, ids: Tensor, shares: Sequence[Share[Memory]]) -> dict[str, Tensor]:
        if all(share.sight is None for share in shares):
            return super()._inputs(ids, shares)
        words = self.model.get_input_embeddings()(ids)
        positions, begin = [], 0
        for share in shares:
            seen = None if share.sight is None else self._seen(share.sight)
            positions.append(_positions(seen, share.start, share.start + len(share.ids)))
            if seen is not None:
                _show(seen, words[begin : begin + len(share.ids)], share.start)
            begin += len(share.ids)
        places = torch.cat(positions, dim=1).to(ids.device)
        return {"inputs_embeds": words[None], "position_ids": places[:, None]}

    def _seen(self, sight: Sight) -> Seen:
        """What the model sees; it looks once."""
        if sight.seen is None:
            grids = sight.grids.to(self._device)
            made = self.model.get_image_features(sight.pixels.to(self._device), grids)
            ids = torch.tensor([sight.ids])
            kinds = (ids == self.model.config.image_token_id).long()
            positions, shifts = self.model.model.get_rope_index(ids, kinds, sight.grids)
            sight.seen = Seen(
                places=kinds[0].nonzero()[:, 0],
                features=torch.cat(made.pooler_output, dim=0),
                positions=positions[:, 0].cpu(),
                shift=int(shifts[0, 0]),
            )
            sight.pixels = sight.pixels[:0]
        return sight.seen


def _positions(seen: Seen | None, start: int, stop: int) -> Tensor:
    """Of some tokens of a text, shape ``(3, stop - start)``."""
    if seen is None:
        return torch.arange(start, stop).expand(3, -1)
    told = seen.positions[:, start:stop]
    behind = torch.arange(start + told.shape[1], stop) + seen.shift
    return torch.cat([told, behind.expand(3, -1)], dim=1)


def _show(seen: Seen, words: Tensor, start: int) -> None:
    """Put what is seen in the place of words, shape ``(T, H)``, of tokens from ``start`` on."""
    here = (seen.places >= start) & (seen.places < start + len(words))
    rows = (seen.places[here] - start).to(words.device)
    words[rows] = seen.features[here.to(words.device)].to(words.dtype)


def eyes_of(spec: ModelSpec) -> PatchEyes | None:
    """What reads the pictures of a model, if it sees any.

    Raises:
        ModelLoadFailed: The library cannot read its files.
    """
    part = spec.backbone
    if not isinstance(part, Backbone) or "image_processor" not in part.config:
        return None
    options = part.config["image_processor"]
    name = str(options["image_processor_type"]).removesuffix("Fast")
    try:
        # Without torchvision the library has its processors under another name only.
        processor = getattr(transformers, f"{name}Pil").from_dict(options)
        config = transformers.AutoConfig.from_pretrained(
            Path(spec.folder, part.folder), local_files_only=True
        )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot read how pictures are resized: {error}"
        ) from error
    return PatchEyes(processor, int(config.image_token_id))
