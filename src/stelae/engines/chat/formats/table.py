"""All formats by name, and the one that a call is answered in."""

from __future__ import annotations

import re

from stelae.catalog.spec import Generation
from stelae.engines.chat.formats.deepseek import DEEPSEEK_V3, DEEPSEEK_V31
from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.gemma import FUNCTION_GEMMA, GEMMA, GEMMA_4
from stelae.engines.chat.formats.glm import GLM_4, GLM_45
from stelae.engines.chat.formats.granite import GRANITE
from stelae.engines.chat.formats.hermes import HERMES
from stelae.engines.chat.formats.llama import LLAMA
from stelae.engines.chat.formats.mistral import MISTRAL, MISTRAL_ARGS
from stelae.engines.chat.formats.plain import JSON
from stelae.engines.chat.formats.python import PYTHONIC
from stelae.engines.chat.formats.qwen_xml import QWEN_XML
from stelae.engines.chat.formats.shapes import Shape, forced, tools_of
from stelae.types import ChatCall

FORMATS = {
    format.name: format
    for format in (
        HERMES, QWEN_XML, LLAMA, PYTHONIC, MISTRAL, MISTRAL_ARGS, GLM_4, GLM_45, DEEPSEEK_V3,
        DEEPSEEK_V31, GEMMA, FUNCTION_GEMMA, GEMMA_4, GRANITE, JSON,
    )
}  # fmt: skip

SIGN = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")
"""What may be a token of its own in the mark of a thought."""


def format_of(generation: Generation) -> Format:
    """The format of a model; one whose template knows no tools is taught that of Hermes."""
    return FORMATS[generation.tools or HERMES.name]


def marks_of(generation: Generation) -> frozenset[str]:
    """Texts of special tokens that are signs of what is read out of a text, and so are kept."""
    signs = (sign for mark in generation.reasoning for sign in SIGN.findall(mark))
    return format_of(generation).marks.union(signs)


def shape_of(call: ChatCall, generation: Generation) -> Shape | None:
    """The form that the text of a call must have, if it must call a tool; else ``None``."""
    if not forced(call):
        return None
    return format_of(generation).shape(tools_of(call), call.parallel_tool_calls)
