from __future__ import annotations

import pytest

from stelae.client import EncodeOptions
from stelae.client._options import encode_plan
from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, OutputType, Role, Truncate


def test_nothing_asked_for_gives_the_defaults() -> None:
    made = encode_plan({}, "mine")
    assert made.template.model == "mine"
    assert (made.template.outputs, made.template.dtype) == (None, None)
    assert (made.template.kinds, made.template.format) == (
        (OutputType.DENSE,),
        EmbeddingDtype.FLOAT32,
    )
    assert made.template.truncate is Truncate.END
    assert (made.raises, made.progress, made.timeout, made.batch_size) == (True, False, None, None)


def test_words_and_enums_mean_the_same() -> None:
    by_word = encode_plan({"role": "query", "outputs": ["dense"], "truncate": "error"}, "m")
    by_enum = encode_plan(
        {"role": Role.QUERY, "outputs": OutputType.DENSE, "truncate": Truncate.ERROR}, "m"
    )
    assert by_word == by_enum


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"role": "asker"}, "role='asker': choose one of 'query', 'document'"),
        ({"dtype": "int4"}, "dtype='int4': choose one of 'float32', 'float16', 'int8'"),
        ({"pool_factor": "2"}, "$.pool_factor"),
        ({"muvera": {"cells": 3}}, "$.muvera"),
        ({"instruction": "\ud800"}, "instruction: character 0 is a lone surrogate"),
        ({"outputs": ["thick"]}, "outputs='thick'"),
        ({"errors": "ignore"}, "errors='ignore'"),
        ({"progress": "yes"}, "progress='yes'"),
        ({"timeout": -1}, "timeout=-1"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"timeout": True}, "timeout=True"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 2.0}, "batch_size=2.0"),
        ({"dimensions": "5"}, "$.dimensions"),
        ({"normalize": "yes"}, "$.normalize"),
        ({"model": 3}, "$.model"),
        ({"prompt": "\ud800"}, "prompt: character 0 is a lone surrogate"),
    ],
    ids=str,
)
def test_wrong_option_is_refused_by_name(options: EncodeOptions, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_plan(options, "m")
    assert message in caught.value.message
