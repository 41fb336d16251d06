"""Log events with fields: for people on a terminal, as JSON for machines."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO, cast

import orjson
import structlog

from stelae.telemetry.latest import Copied, Latest

Event = MutableMapping[str, Any]

REQUEST: ContextVar[str] = ContextVar("stelae_request")
"""Id of the request that is being worked on; what is logged meanwhile names it."""

QUIET = ("httpx", "httpcore", "huggingface_hub", "urllib3", "filelock", "uvicorn", "asyncio")
"""Libraries of which only warnings are of interest."""


def configure(
    *,
    json: bool,
    level: str = "info",
    stream: TextIO | None = None,
    latest: Latest | None = None,
) -> None:
    """Set up logging of this process, other libraries included.

    Args:
        json: One JSON object a line instead of text for people.
        level: Least severity that is written.
        stream: Where to write; standard error if not given.
        latest: Keeps what is written, beside.
    """
    out = stream or sys.stderr
    written = out if latest is None else cast("TextIO", Copied(out, latest))
    structlog.configure(
        processors=_processors(json=json, colors=out.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=written),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def get() -> structlog.typing.FilteringBoundLogger:
    """The logger; ``log.info("event_name", field=value)``.

    Until somebody configures logging, warnings go to standard error and the rest
    nowhere: standard output belongs to the program that embeds us.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=_processors(json=False, colors=False),
            wrapper_class=structlog.make_filtering_bound_logger("warning"),
            logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
            cache_logger_on_first_use=False,
        )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _name_request(_logger: Any, _method: str, event: Event) -> Event:
    if (request := REQUEST.get(None)) is not None:
        event.setdefault("request_id", request)
    return event


def neutralise(_logger: Any, _method: str, event: Event) -> Event:
    """Escape control, direction and other unprintable characters in values.

    A caller's text can so neither start a new line, nor colour a terminal, nor
    reverse what stands beside it.
    """
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = escape(value)
    return event


def escape(text: str) -> str:
    """The text with every unprintable character as its Python escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _to_json(_logger: Any, _method: str, event: Event) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _processors(*, json: bool, colors: bool) -> list[structlog.typing.Processor]:
    shared: list[structlog.typing.Processor] = [
        _name_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        neutralise,
    ]
    if json:
        return [*shared, structlog.processors.format_exc_info, _to_json]
    renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_safe_traceback)
    return [*shared, renderer]


def _safe_traceback(out: TextIO, error: structlog.typing.ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    out.write("\n".join(escape(line) for line in text.getvalue().split("\n")))


class _Forward(logging.Handler):
    """Brings records of the standard library's logging into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        get().log(record.levelno, record.getMessage(), logger=record.name, **fields)
