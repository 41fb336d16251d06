"""A model of OpenVINO's with paged attention, run step by step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import torch
from openvino._offline_transformations import paged_attention_transformation
from torch import Tensor

from stelae.engines.chat.stepping import Share
from stelae.engines.openvino.pages import Pages, Pool
from stelae.errors import UnsupportedCheckpoint

WANTED = "wanted"
"""The input that says of which tokens scores are made."""

LONGEST = "max_context_len"
"""The input with the length of the longest text, a number."""

WIDE = {"input_ids": ov.Type.i64, "position_ids": ov.Type.i64, WANTED: ov.Type.i64}
"""Inputs of 64 bits; the others have 32."""

CACHES = ("key_cache.", "value_cache.")
"""How the names of inputs with keys and values begin."""


@dataclass(slots=True)
class _Given:
    """An input as it was set last, and where its numbers lie."""

    values: list[int]
    array: np.ndarray[Any, Any]


class PagedModel:
    """A compiled graph; see ``Stepper``.

    Args:
        compiled: The library's.
        room: Tokens whose keys and values are kept at once.
        held: What has to live as long as the graph.
    """

    most = sys.maxsize

    def __init__(self, compiled: ov.CompiledModel, room: int, held: Any) -> None:
        self._request = compiled.create_infer_request()
        self._held = held
        self._given: dict[str, _Given] = {}
        self.vocabulary: int = compiled.output(0).get_partial_shape()[-1].get_length()
        self._texts, self._scores = 0, torch.empty(0)
        self._pool = Pool(self._caches(compiled, room))

    def _caches(self, compiled: ov.CompiledModel, room: int) -> list[ov.Tensor]:
        """Room for keys and values of each layer, and for which page."""
        made = []
        for port in compiled.inputs:
            if not port.get_any_name().startswith(CACHES):
                continue
            page = [size.get_length() for size in list(port.get_partial_shape())[1:]]
            pages = -(-room // page[1])
            cache = ov.Tensor(port.get_element_type(), ov.Shape([pages, *page]))
            self._request.set_tensor(port.get_any_name(), cache)
            made.append(cache)
        return made

    def memory(self) -> Pages:
        """A memory for one more text, empty."""
        return Pages(self._pool)

    def fork(self, memory: Pages, tokens: int) -> Pages:
        """A memory that begins as another does; whole pages are shared."""
        return memory.fork(tokens)

    def scores(self, shares: Sequence[Share[Pages]]) -> Tensor:
        """See ``Stepper``."""
        sizes = [len(share.ids) for share in shares]
        ends = [share.start + size for share, size in zip(shares, sizes, strict=True)]
        for share, end in zip(shares, ends, strict=True):
            share.memory.grow(end)
        borders = [0, *accumulate(sizes)]
        pages = [share.memory.numbers for share in shares]
        given = {
            "input_ids": [i for share in shares for i in share.ids],
            "position_ids": [
                place for s, end in zip(shares, ends, strict=True) for place in range(s.start, end)
            ],
            "past_lens": [share.start for share in shares],
            "subsequence_begins": borders,
            "block_indices": [number for numbers in pages for number in numbers],
            "block_indices_begins": [0, *accumulate(map(len, pages))],
            LONGEST: [max(ends)],
            WANTED: [end - 1 for end in borders[1:]],
        }
        for name, values in given.items():
            self._give(name, values)
        if self._texts != len(shares):
            self._texts, self._scores = len(shares), self._place(len(shares))
        self._request.infer()
        return self._scores

    def _place(self, texts: int) -> Tensor:
        """Where scores of so many texts are put, which is looked up once instead of each step."""
        tensor = ov.Tensor(ov.Type.f32, ov.Shape([texts, 1, self.vocabulary]))
        self._request.set_output_tensor(0, tensor)
        return torch.from_numpy(tensor.data[:, 0])

    def _give(self, name: str, values: list[int]) -> None:
        """Set an input, if it is another than in the last step; in place if it has its size."""
        kept = self._given.get(name)
        if kept is None or len(kept.values) != len(values):
            shape = [] if name == LONGEST else [len(values)]
            tensor = ov.Tensor(WIDE.get(name, ov.Type.i32), ov.Shape(shape))
            self._request.set_tensor(name, tensor)
            kept = self._given[name] = _Given([], tensor.data)
        if kept.values != values:
            kept.array[...] = values if kept.array.shape else values[0]
            kept.values = values

    def close(self) -> None:
        """Free what it holds."""
        self._given.clear()
        del self._request, self._scores, self._pool, self._held


def paged(model: ov.Model) -> ov.Model:
    """Put paged attention in place of a graph's states, and score wanted tokens only.

    Raises:
        UnsupportedCheckpoint: The graph is none of a language model.
    """
    try:
        paged_attention_transformation(model)
        product = model.output("logits").get_node()
    except RuntimeError as error:
        raise UnsupportedCheckpoint(f"OpenVINO cannot page the graph: {error}") from error
    while product.get_type_name() != "MatMul":
        if product.get_input_size() != 1:
            raise UnsupportedCheckpoint(
                f"the graph makes scores by {product.get_type_name()}; a product was expected"
            )
        product = product.input_value(0).get_node()
    wanted = ops.parameter([-1], np.int64, name=WANTED)
    wanted.output(0).set_names({WANTED})
    rows = ops.gather(product.input_value(0), wanted, ops.constant(0, np.int64))
    product.input(0).replace_source_output(rows.output(0))
    model.add_parameters([wanted])
    end = model.get_results()[0].input(0)
    end.replace_source_output(ops.convert(end.get_source_output(), "f32").output(0))
    model.validate_nodes_and_infer_types()
    return model
