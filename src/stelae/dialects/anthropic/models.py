"""The models as this protocol lists them, in pages."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from stelae.dialects.anthropic.schema import Listed, Page
from stelae.errors import InvalidInput
from stelae.types import ModelInfo, Task

FEW, MOST = 20, 1000
"""Models of a page if nobody says, and at most."""


def listed(info: ModelInfo, created: float) -> Listed:
    """A model; ``created`` is when the server learnt of it, in Unix time."""
    longest = info.max_tokens or None
    return Listed(
        id=info.name,
        type="model",
        display_name=info.name,
        created_at=datetime.fromtimestamp(int(created), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lifecycle="active",
        max_input_tokens=longest,
        max_tokens=longest,
    )


def page(infos: list[ModelInfo], asked: QueryParams, created: float) -> Page:
    """The part of the models that is asked for: those that chat, for others cannot be asked here.

    Args:
        infos: All models.
        asked: ``after_id`` or ``before_id``, and ``limit``.
        created: When the server learnt of them, in Unix time.

    Raises:
        InvalidInput: ``limit`` is no count, or a name is not in the list.
    """
    known = [listed(info, created) for info in infos if Task.CHAT in info.tasks]
    names = [model.id for model in known]
    limit = _limit(asked.get("limit"))
    if before := asked.get("before_id"):
        end = _place(names, before, "before_id")
        start = max(0, end - limit)
        shown, more = known[start:end], start > 0
    else:
        after = asked.get("after_id")
        start = _place(names, after, "after_id") + 1 if after else 0
        shown, more = known[start : start + limit], start + limit < len(known)
    ends = (shown[0].id, shown[-1].id) if shown else (None, None)
    return Page(data=shown, has_more=more, first_id=ends[0], last_id=ends[1])


def _limit(given: str | None) -> int:
    if given is None:
        return FEW
    if not (given.isascii() and given.isdigit() and 0 < int(given[:6]) <= MOST):
        raise InvalidInput(f"limit={given[:20]!r}: 1 to {MOST} was expected", param="limit")
    return int(given)


def _place(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise InvalidInput(f"{param}={name[:100]!r} is none of the models", param=param)
    return names.index(name)
