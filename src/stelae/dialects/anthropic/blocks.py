"""Blocks of messages, as this protocol sends them, to parts of the house's messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from stelae.dialects.anthropic.schema import Block, Source
from stelae.dialects.writing import base64_picture, picture
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import ImagePart, Part, ReasoningPart, TextPart, ToolUse

PICTURES = 100
"""Most pictures of one conversation."""

Placed = tuple[str, Block]
"""A block and where it stands."""

FAILED = "Error: "
"""Stands before the result of a tool that failed, for templates have no field for it."""


def placed(content: str | list[Block], place: str) -> list[Placed]:
    """The blocks of a message; a text is one."""
    if isinstance(content, str):
        return [(place, Block(type="text", text=content))] if content else []
    return [(f"{place}[{index}]", block) for index, block in enumerate(content)]


class Reader:
    """Reads the blocks of one conversation.

    Args:
        fetcher: Gets pictures that stand elsewhere, if it may.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._pictures = 0

    async def parts(self, blocks: Iterable[Placed], among: str = "a message") -> list[Part]:
        """What is said and shown; each text of a message starts a line.

        Raises:
            InvalidInput: A block has no place there, or cannot be read.
        """
        made: list[Part] = []
        for place, block in blocks:
            read = _SHOWN.get(block.type)
            if read is None:
                raise unknown(block, place, among, _SHOWN)
            part = await read(self, block, place)
            if made and isinstance(part, TextPart) and isinstance(made[-1], TextPart):
                part = TextPart(text=f"\n{part.text}")
            made.append(part)
        return made

    async def result(self, block: Block, place: str) -> list[Part]:
        """What a tool answered.

        Raises:
            InvalidInput: It holds what has no place there.
        """
        content = block.content or ""
        if isinstance(content, dict):
            raise InvalidInput(f"{place}.content: a text or a list was expected", param=place)
        made = await self.parts(placed(content, f"{place}.content"), "the result of a tool")
        if not block.is_error:
            return made
        if made and isinstance(made[0], TextPart):
            return [TextPart(text=FAILED + made[0].text), *made[1:]]
        return [TextPart(text=FAILED), *made]

    async def _text(self, block: Block, place: str) -> Part:
        return TextPart(text=text_of(block, place))

    async def _image(self, block: Block, place: str) -> Part:
        self._pictures += 1
        if self._pictures > PICTURES:
            raise InvalidInput(f"{place}: at most {PICTURES} pictures are taken", param=place)
        where = _source(block, place)
        if where.type == "base64" and where.data is not None:
            return ImagePart(image=base64_picture(self._fetcher, where.data, f"{place}.source"))
        if where.type == "url" and where.url is not None:
            return ImagePart(image=await picture(self._fetcher, where.url, f"{place}.source"))
        raise _other_source(where, place, "'base64' with data, or 'url' with url")

    async def _document(self, block: Block, place: str) -> Part:
        where = _source(block, place)
        if where.type == "text" and where.data is not None:
            said = where.data
        elif where.type == "content" and where.content is not None:
            said = plain(where.content, f"{place}.source.content", "a document")
        else:
            raise _other_source(where, place, "'text' with data, or 'content'")
        about = [said for said in (block.title, block.context) if said]
        return TextPart(text="\n".join([*about, said]))

    async def _found(self, block: Block, place: str) -> Part:
        content = block.content if isinstance(block.content, list) else ""
        said = plain(content, f"{place}.content", "what was found")
        source = block.source if isinstance(block.source, str) else None
        return TextPart(text="\n".join([part for part in (block.title, source) if part] + [said]))


_SHOWN: dict[str, Callable[[Reader, Block, str], Awaitable[Part]]] = {
    "text": Reader._text,
    "image": Reader._image,
    "document": Reader._document,
    "search_result": Reader._found,
}
"""Blocks of people and of tools, and how they are read."""

_SAID = ("text", "tool_use", "thinking", "redacted_thinking")
"""Blocks of the assistant."""


def said(blocks: Iterable[Placed]) -> tuple[list[Part], list[ToolUse]]:
    """What the assistant thought and said, and the tools that it called.

    Raises:
        InvalidInput: A block is not one of the assistant.
    """
    parts: list[Part] = []
    calls: list[ToolUse] = []
    for place, block in blocks:
        match block.type:
            case "text":
                parts.append(TextPart(text=text_of(block, place)))
            case "thinking":
                parts.append(ReasoningPart(text=block.thinking or ""))
            case "tool_use":
                calls.append(_call(block, place))
            case "redacted_thinking":
                pass  # nobody here can read it
            case _:
                raise unknown(block, place, "a message of the assistant", _SAID)
    return parts, calls


def plain(content: str | list[Block], place: str, among: str) -> str:
    """Blocks that can be nothing but texts, each a line.

    Raises:
        InvalidInput: One is no text.
    """
    texts = []
    for where, block in placed(content, place):
        if block.type != "text":
            raise unknown(block, where, among, ("text",))
        texts.append(text_of(block, where))
    return "\n".join(texts)


def text_of(block: Block, place: str) -> str:
    """The text of a block of text.

    Raises:
        InvalidInput: It has none.
    """
    if block.text is None:
        raise InvalidInput(f"{place}.text is missing", param=f"{place}.text")
    return block.text


def unknown(block: Block, place: str, among: str, known: Iterable[str]) -> InvalidInput:
    """A block has a type that has no place where it stands."""
    names = ", ".join(map(repr, known))
    return InvalidInput(
        f"{place} is of type {block.type[:48]!r}; in {among} {names} are read", param=place
    )


def _call(block: Block, place: str) -> ToolUse:
    if not block.id or not block.name:
        raise InvalidInput(f"{place}: a call of a tool has id and name", param=place)
    return ToolUse(id=block.id, name=block.name, arguments=block.input or {})


def _source(block: Block, place: str) -> Source:
    if not isinstance(block.source, Source):
        raise InvalidInput(f"{place}.source is missing", param=f"{place}.source")
    return block.source


def _other_source(where: Source, place: str, known: str) -> InvalidInput:
    param = f"{place}.source"
    return InvalidInput(f"{param} is of type {where.type[:32]!r}; {known} is read", param=param)
