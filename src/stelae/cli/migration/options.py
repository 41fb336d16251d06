"""Options that SIE's profiles set for calls, as those of a profile here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stelae.errors import InvalidInput
from stelae.wire.sie.options import FIXED, Options, muvera_of, read_options
from stelae.wire.sie.verbs import MODES

LENGTH = "max_seq_length"
"""An option of calls in SIE that is decided when a model is loaded here."""

UNKNOWN = "an option of that name means nothing here"
NO_PLACE = "requests may give it, a profile has no place for it"

READINGS: dict[str, Callable[[Options], Any]] = {
    "outputs": lambda o: o.output_types or None,
    "dtype": lambda o: o.output_dtype,
    "dimensions": lambda o: o.dimensions,
    "normalize": lambda o: o.normalize if muvera_of(o.muvera) is None else None,
    "pool_factor": lambda o: o.pool_factor,
    "muvera": lambda o: muvera_of(o.muvera),
    "instruction": lambda o: o.instruction or o.default_instruction or o.task,
    "query_template": lambda o: o.query_template,
    "doc_template": lambda o: o.doc_template,
    "lora": lambda o: o.lora_id or o.lora,
    "by": lambda o: MODES.get(o.score_mode or ""),
    "relations": lambda o: o.relations,
    "threshold": lambda o: o.threshold,
    "multi_label": lambda o: o.multi_label,
    "hypothesis": lambda o: o.hypothesis_template,
    "max_new_tokens": lambda o: o.max_new_tokens,
    "beams": lambda o: o.num_beams,
}
"""Fields of a profile, from SIE's options."""

TAKEN = frozenset(
    {
        "output_types", "output_dtype", "dimensions", "normalize", "pool_factor", "muvera",
        "instruction", "default_instruction", "task", "query_template", "doc_template",
        "lora_id", "lora", "score_mode", "relations", "threshold", "multi_label",
        "hypothesis_template", "max_new_tokens", "num_beams", LENGTH,
    }
)  # fmt: skip
"""Options that one of these, or the model, takes over."""


def profile_fields(
    runtime: Mapping[str, Any], place: str
) -> tuple[dict[str, Any], int | None, dict[str, str]]:
    """The fields of a profile, the longest input, and why options were left, by name.

    Raises:
        InvalidInput: An option is of the wrong type; the message begins with ``place``.
    """
    given = {name: value for name, value in runtime.items() if value is not None}
    left = {name: reason for name, reason in FIXED.items() if name in given}
    try:
        options, unknown = read_options({n: v for n, v in given.items() if n not in FIXED})
        fields = {name: reading(options) for name, reading in READINGS.items()}
    except InvalidInput as error:
        raise InvalidInput(f"{place}: {error.message}") from error
    left |= dict.fromkeys(unknown, UNKNOWN)
    left |= {name: NO_PLACE for name in given if name not in TAKEN and name not in left}
    if options.score_mode is not None and fields["by"] is None:
        left["score_mode"] = NO_PLACE
    if fields["muvera"] is not None and options.normalize is not None:
        left["normalize"] = "vectors made by MUVERA keep their length"
    said = {name: value for name, value in fields.items() if value is not None}
    return said, options.max_seq_length, left
