"""Tools that a model may call, as OpenAI's requests state them."""

from __future__ import annotations

from typing import Any, Literal

from stelae.errors import InvalidInput
from stelae.types import NamedTool, ToolChoice

Tools = list[dict[str, Any]]

MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
}


def tools(given: Tools | None, place: str = "tools") -> Tools:
    """Tools in the form of chats: ``{"type": "function", "function": {...}}``.

    Responses state the fields of ``function`` beside ``type``.

    Raises:
        InvalidInput: One of them is no function.
    """
    return [_tool(tool, f"{place}[{index}]") for index, tool in enumerate(given or [])]


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    kind = tool.get("type", "function")
    if kind != "function":
        raise InvalidInput(
            f"{place} is of type {str(kind)[:32]!r}; models here call functions only", param=place
        )
    if "function" in tool:
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def choice(given: str | dict[str, Any] | None, known: Tools) -> tuple[ToolChoice, Tools]:
    """What must or may be called, and the tools that the model is told of.

    Args:
        given: A mode, a function by its name, or the tools that are allowed.
        known: All tools, in the form of chats.

    Raises:
        InvalidInput: It is none of these.
    """
    if given is None:
        return "auto", known
    if isinstance(given, str):
        return _mode(given), known
    kind = given.get("type", "function")
    if kind == "allowed_tools":
        return _allowed(given.get("allowed_tools", given), known)
    if kind != "function" or (name := _name(given)) is None:
        raise _wrong(given)
    return NamedTool(name=name), known


def _mode(given: str) -> ToolChoice:
    if given not in MODES:
        raise _wrong(given)
    return MODES[given]


def _allowed(given: Any, known: Tools) -> tuple[ToolChoice, Tools]:
    listed = given.get("tools") if isinstance(given, dict) else None
    if not isinstance(listed, list):
        raise _wrong(given)
    names = {_name(tool) for tool in listed if isinstance(tool, dict)}
    kept = [tool for tool in known if _name(tool) in names]
    return _mode(str(given.get("mode", "auto"))), kept


def _name(given: dict[str, Any]) -> str | None:
    function = given.get("function", given)
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def _wrong(given: object) -> InvalidInput:
    return InvalidInput(
        f"tool_choice={str(given)[:64]!r}: 'auto', 'none', 'required', a function by its name "
        "or 'allowed_tools' was expected",
        param="tool_choice",
    )
