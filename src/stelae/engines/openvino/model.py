"""A model of OpenVINO's with paged attention, run step by step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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

CACHES = ("key_cache.", "value_cache.")
"""How the names of inputs with keys and values begin."""


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
        self._given: dict[str, np.ndarray[Any, Any]] = {}
        self.vocabulary: int = compiled.output(0).get_partial_shape()[-1].get_length()
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
        places = [np.arange(s.start, end) for s, end in zip(shares, ends, strict=True)]
        lasts = np.cumsum(sizes) - 1
        given: dict[str, np.ndarray[Any, Any]] = {
            "input_ids": np.array([i for share in shares for i in share.ids], np.int64),
            "position_ids": np.concatenate(places).astype(np.int64),
            "past_lens": np.array([share.start for share in shares], np.int32),
            "subsequence_begins": _borders(sizes),
            "block_indices": np.array([n for s in shares for n in s.memory.numbers], np.int32),
            "block_indices_begins": _borders([len(s.memory.numbers) for s in shares]),
            "max_context_len": np.array(max(ends), np.int32),
            WANTED: lasts.astype(np.int64),
        }
        for name, values in given.items():
            self._give(name, values)
        self._request.infer()
        made = self._request.get_output_tensor(0).data
        return torch.from_numpy(made[:, 0].astype(np.float32, copy=False))

    def _give(self, name: str, values: np.ndarray[Any, Any]) -> None:
        """Set an input; in place where it has the size of the last step, which is far quicker."""
        kept = self._given.get(name)
        if kept is not None and kept.shape == values.shape:
            kept[...] = values
            return
        tensor = ov.Tensor(values)
        self._given[name] = tensor.data
        self._request.set_tensor(name, tensor)

    def close(self) -> None:
        """Free what it holds."""
        self._given.clear()
        del self._request, self._pool, self._held


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
    model.validate_nodes_and_infer_types()
    return model


def _borders(sizes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array([0, *accumulate(sizes)], np.int32)
