"""The OpenAPI document, from the same operations and Structs that answer requests."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_origin

import msgspec
import numpy as np

from stelae.errors import ErrorInfo
from stelae.server.endpoints import PARAMETER
from stelae.server.listeners import Claim

_ATTRIBUTES = re.compile(r"^Attributes:\n", re.MULTILINE)
_REF = "#/components/schemas/{name}"

Schemas = Mapping[Any, dict[str, Any]]
"""How each type is referred to; of two types of one name by more than that."""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error.

    Attributes:
        detail: One sentence.
        error: The same with its code and parts.
    """

    detail: str
    error: ErrorInfo


def document(claims: Sequence[Claim], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of everything that is answered."""
    found = (t for c in claims for t in (c.operation.request, c.operation.response))
    kinds = [*dict.fromkeys(t for t in found if t is not None), ErrorAnswer]
    told, components = msgspec.json.schema_components(kinds, schema_hook=_array, ref_template=_REF)
    schemas = dict(zip(kinds, told, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    named: Counter[str] = Counter()
    for claim in claims:
        path = PARAMETER.sub(r"{\1}", claim.operation.path)
        name = f"{claim.dialect.name}_{claim.operation.handle.__name__}"
        named[name] += 1  # what answers on several paths has a name for each
        name += f"_{named[name]}" if named[name] > 1 else ""
        paths.setdefault(path, {})[claim.operation.method.lower()] = _operation(
            claim, name, schemas
        )
    tags = {c.dialect.name: c.dialect.summary for c in claims}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stelae", "version": version},
        "tags": [{"name": name, "description": summary} for name, summary in tags.items()],
        "paths": paths,
        "components": {"schemas": {name: _describe(body) for name, body in components.items()}},
    }


def _operation(claim: Claim, name: str, schemas: Schemas) -> dict[str, Any]:
    operation = claim.operation
    shown: dict[str, Any] = {
        "tags": [claim.dialect.name],
        "summary": operation.summary,
        "operationId": name,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in PARAMETER.findall(operation.path)
        ],
        "responses": _responses(claim, schemas),
    }
    if operation.request is not None:
        data = [m for m in operation.media if m.startswith("application/")]
        content = _content(operation.request, operation.takes or data, schemas)
        if operation.example is not None:
            content[next(iter(content))]["example"] = operation.example
        shown["requestBody"] = {"required": True, "content": content}
    return shown


def _responses(claim: Claim, schemas: Schemas) -> dict[str, Any]:
    operation = claim.operation
    answers: dict[str, Any] = {
        "200": {
            "description": "OK",
            "content": _content(operation.response, operation.media, schemas),
        }
    }
    for error in sorted(operation.errors, key=lambda e: e.status):
        said = f"`{error.code}`: {inspect.getdoc(error)}"
        status = str(error.status)
        if status in answers:
            answers[status]["description"] += f"\n{said}"
        else:
            content = _content(ErrorAnswer, ["application/json"], schemas)
            answers[status] = {"description": said, "content": content}
    return answers


def _content(kind: Any, media: Sequence[str], schemas: Schemas) -> dict[str, Any]:
    return {name: {} if kind is None else {"schema": schemas[kind]} for name in media}


def _array(kind: Any) -> dict[str, Any]:
    if (get_origin(kind) or kind) is np.ndarray:
        return {
            "description": "An array: nested lists in JSON; dtype, shape and data in msgpack.",
            "anyOf": [{"type": "array"}, {"type": "object"}],
        }
    raise NotImplementedError(f"no schema for {kind}")


def _describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Move the texts of a docstring's ``Attributes:`` to the fields they describe."""
    text = inspect.cleandoc(schema.get("description", ""))
    summary, *rest = _ATTRIBUTES.split(text)
    properties = schema.get("properties", {})
    for name, said in _attributes(rest[0] if rest else "").items():
        if name in properties:
            properties[name] = {**properties[name], "description": said}
    return {**schema, "description": summary.strip()} if text else schema


def _attributes(block: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if match := re.match(r"^ {4}(\w+): (.*)", line):
            name, found[match[1]] = match[1], match[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found
