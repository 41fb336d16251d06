"""A decoder as a graph of OpenVINO's, with the library's own paged attention in it.

The graph is written in the form of exported models, with states that grow; the library's own
transformation puts paged attention in their place.

Source: Touvron et al. 2023 (arXiv:2302.13971, the decoder); Su et al. 2021 (arXiv:2104.09864,
rotary positions); optimum-intel, ``optimum/exporters/openvino`` (the form of exported models).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import openvino as ov
import openvino.opset13 as ops

from stelae.engines.openvino.sizes import Sizes

Node = Any
"""A node of a graph; the library ships no types for them."""

LONGEST = np.iinfo(np.int64).max


class Weights(Protocol):
    """The numbers of a model, by the names that transformers gives them."""

    def node(self, name: str) -> Node:
        """A tensor in fp32.

        Raises:
            UnsupportedCheckpoint: There is no such tensor.
        """
        ...

    def maybe(self, name: str) -> Node | None:
        """The same, or ``None`` if there is no such tensor."""
        ...


class Decoder:
    """Builds the graph of one decoder.

    Args:
        sizes: Of it.
        weights: Of it.
    """

    def __init__(self, sizes: Sizes, weights: Weights) -> None:
        self._sizes, self._weights = sizes, weights
        self._ids = _parameter("input_ids", [-1, -1], np.int64)
        self._places = _parameter("position_ids", [-1, -1], np.int64)
        self._mask = _parameter("attention_mask", [-1, -1], np.int64)
        self._beams = _parameter("beam_idx", [-1], np.int32)
        self._batch = ops.gather(ops.shape_of(self._ids), _ints([0]), _ints(0))
        self._cos, self._sin = self._turns()
        self._sinks: list[Node] = []

    def model(self) -> ov.Model:
        """The graph: ids and positions to scores of every token."""
        table = self._weights.node("model.embed_tokens.weight")
        states = ops.gather(table, ops.convert(self._ids, "i32"), ops.constant(0, np.int32))
        for layer in range(self._sizes.layers):
            states = self._layer(states, f"model.layers.{layer}", layer)
        head = table if self._sizes.tied else self._weights.node("lm_head.weight")
        scores = ops.matmul(self._norm(states, "model.norm"), head, False, True)
        scores.output(0).set_names({"logits"})
        parameters = [self._ids, self._mask, self._places, self._beams]
        return ov.Model([ops.result(scores)], self._sinks, parameters)

    def _layer(self, states: Node, name: str, layer: int) -> Node:
        read = self._norm(states, f"{name}.input_layernorm")
        states = ops.add(states, self._attention(read, f"{name}.self_attn", layer))
        read = self._norm(states, f"{name}.post_attention_layernorm")
        gate = ops.swish(self._linear(read, f"{name}.mlp.gate_proj"))
        inner = ops.multiply(gate, self._linear(read, f"{name}.mlp.up_proj"))
        return ops.add(states, self._linear(inner, f"{name}.mlp.down_proj"))

    def _attention(self, states: Node, name: str, layer: int) -> Node:
        sizes = self._sizes
        query = self._turned(self._heads(states, name, "q", sizes.heads))
        key = self._turned(self._heads(states, name, "k", sizes.kv_heads))
        value = self._heads(states, name, "v", sizes.kv_heads)
        key = self._grown(key, f"past_key_values.{layer}.keypresent.{layer}.key")
        value = self._grown(value, f"past_key_values.{layer}.valuepresent.{layer}.key")
        seen = ops.scaled_dot_product_attention(
            query, self._shared(key), self._shared(value), _floats(0), causal=False
        )
        rows = ops.transpose(seen, ops.constant([0, 2, 1, 3], np.int32))
        whole = ops.reshape(rows, _ints([0, 0, sizes.heads * sizes.head]), special_zero=True)
        return self._linear(whole, f"{name}.o_proj")

    def _heads(self, states: Node, name: str, part: str, heads: int) -> Node:
        """Queries, keys or values, shape ``(batch, heads, T, head)``."""
        flat = self._linear(states, f"{name}.{part}_proj")
        cut = ops.reshape(flat, _ints([0, 0, heads, self._sizes.head]), special_zero=True)
        if self._sizes.qk_norm and part != "v":
            cut = self._norm(cut, f"{name}.{part}_norm")
        return ops.transpose(cut, ops.constant([0, 2, 1, 3], np.int32))

    def _turns(self) -> tuple[Node, Node]:
        """Cosines and sines of all positions, shape ``(batch, 1, T, head)``."""
        angles = ops.constant(self._sizes.rates[None, :, None])
        shape = ops.concat([self._batch, _ints([1]), _ints([1])], 0)
        places = ops.convert(ops.unsqueeze(self._places, _ints(1)), "f32")
        turns = ops.matmul(
            ops.broadcast(angles, shape, broadcast_spec="BIDIRECTIONAL"), places, False, False
        )
        rows = ops.transpose(turns, ops.constant([0, 2, 1], np.int32))
        both = ops.unsqueeze(ops.concat([rows, rows], -1), _ints(1))
        size = _floats(self._sizes.amplitude)
        return ops.multiply(ops.cos(both), size), ops.multiply(ops.sin(both), size)

    def _turned(self, states: Node) -> Node:
        """Queries or keys turned by their positions, the second half against the first."""
        half = self._sizes.head // 2
        second = ops.slice(states, _ints([half]), _ints([LONGEST]), _ints([1]), _ints([3]))
        first = ops.slice(states, _ints([0]), _ints([half]), _ints([1]), _ints([3]))
        swapped = ops.concat([ops.multiply(second, _floats(-1)), first], -1)
        return ops.add(ops.multiply(states, self._cos), ops.multiply(swapped, self._sin))

    def _grown(self, states: Node, name: str) -> Node:
        """A state with more tokens at its end."""
        sizes = [-1, self._sizes.kv_heads, -1, self._sizes.head]
        heads, width = _ints([self._sizes.kv_heads]), _ints([self._sizes.head])
        empty = ops.broadcast(_floats(0), ops.concat([self._batch, heads, _ints([0]), width], 0))
        state = ops.read_value(empty, name, ov.Type.f32, ov.PartialShape(sizes))
        before = ops.gather(state, self._beams, ops.constant(0, np.int64))
        grown = ops.concat([before, states], 2)
        self._sinks.append(ops.assign(grown, name))
        return grown

    def _shared(self, states: Node) -> Node:
        """Keys or values once for each head of queries."""
        sizes = self._sizes
        times = sizes.heads // sizes.kv_heads
        if times == 1:
            return states
        parts = [self._batch, _ints([sizes.kv_heads]), _ints([times]), _ints([0])]
        shape = ops.concat([*parts, _ints([sizes.head])], 0)
        many = ops.broadcast(ops.unsqueeze(states, _ints(2)), shape, broadcast_spec="BIDIRECTIONAL")
        return ops.reshape(many, _ints([0, sizes.heads, -1, sizes.head]), special_zero=True)

    def _norm(self, states: Node, name: str) -> Node:
        mean = ops.reduce_mean(ops.power(states, _floats(2)), _ints([-1]), keep_dims=True)
        root = ops.sqrt(ops.add(mean, _floats(self._sizes.eps)))
        even = ops.multiply(ops.divide(_floats(1), root), states)
        return ops.multiply(even, self._weights.node(f"{name}.weight"))

    def _linear(self, states: Node, name: str) -> Node:
        made = ops.matmul(states, self._weights.node(f"{name}.weight"), False, True)
        bias = self._weights.maybe(f"{name}.bias")
        return made if bias is None else ops.add(made, bias)


def _parameter(name: str, shape: list[int], kind: Any) -> Node:
    made = ops.parameter(shape, kind, name=name)
    made.output(0).set_names({name})
    return made


def _ints(values: Any) -> Node:
    return ops.constant(values, np.int64)


def _floats(value: float) -> Node:
    return ops.constant(value, np.float32)
