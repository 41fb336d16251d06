"""Answers as vLLM's server is documented to, with the words of the conversation once more.

It takes the options and the fields that vLLM 0.33 has (``entrypoints/common/cli_args.py``,
``entrypoints/openai/completion/protocol.py``) and refuses others, so that a wrong name shows.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

FIELDS = frozenset({
    "model", "prompt", "max_tokens", "n", "stream", "stream_options", "temperature", "top_p",
    "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "stop",
    "stop_token_ids", "seed", "logit_bias", "logprobs", "structured_outputs", "return_token_ids",
    "return_tokens_as_token_ids", "skip_special_tokens",
})  # fmt: skip

DIES, FAILS, BREAKS, GARBLES = 13, 17, 19, 23
"""Seeds with which it ends, fails, or ends its answer early."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uds", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--dtype", choices=["auto", "bfloat16", "float16", "float32"])
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--disable-uvicorn-access-log", action="store_true")
    parser.add_argument("--enable-lora", action="store_true")
    parser.add_argument("--lora-modules", nargs="*", default=[])
    return parser.parse_args()


OPTIONS = options()


async def health(request: Request) -> Response:
    return Response()


async def completions(request: Request) -> Response:
    asked = await request.json()
    names = [OPTIONS.served_model_name, *(m.split("=")[0] for m in OPTIONS.lora_modules)]
    if asked["model"] not in names or not FIELDS.issuperset(asked):
        fault = {"message": f"unknown: {asked['model']} {sorted(set(asked) - FIELDS)}"}
        return JSONResponse({"error": fault}, status_code=404)
    return StreamingResponse(events(asked), media_type="text/event-stream")


async def events(asked: dict[str, Any]) -> AsyncIterator[str]:
    words = asked["prompt"][: asked["max_tokens"]]
    cut = len(words) < len(asked["prompt"])
    for index in range(asked["n"]):
        for place, token in enumerate(words):
            if place == 2 and asked.get("seed") in (DIES, FAILS, BREAKS, GARBLES):
                if asked["seed"] == DIES:
                    os._exit(1)
                if asked["seed"] == GARBLES:
                    yield "data: {oops\n\n"
                if asked["seed"] == FAILS:
                    yield event({"error": {"message": "as you wished", "code": 500}})
                return
            yield event({"choices": [choice(asked, index, [token])], "usage": None})
        last = choice(asked, index, [] if cut else [asked["stop_token_ids"][0]])
        last["finish_reason"] = "length" if cut else "stop"
        yield event({"choices": [last], "usage": None})
    usage = {
        "prompt_tokens": len(asked["prompt"]),
        "completion_tokens": asked["n"] * len(words),
        "total_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    yield event({"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def choice(asked: dict[str, Any], index: int, tokens: list[int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "index": index,
        "text": "",
        "token_ids": tokens,
        "finish_reason": None,
        "stop_reason": None,
        "logprobs": None,
    }
    if (top := asked.get("logprobs")) is not None:
        names = [f"token_id:{token}" for token in tokens]
        likely = {f"token_id:{i}": -1.0 - i for i in range(top)}
        made["logprobs"] = {
            "tokens": names,
            "token_logprobs": [-0.5] * len(tokens),
            "top_logprobs": [{name: -0.5} | likely for name in names],
            "text_offset": [0] * len(tokens),
        }
    return made


def event(said: dict[str, Any]) -> str:
    return f"data: {json.dumps({'id': 'cmpl', 'object': 'text_completion', **said})}\n\n"


uvicorn.run(
    Starlette(routes=[
        Route("/health", health),
        Route("/v1/completions", completions, methods=["POST"]),
    ]),
    uds=OPTIONS.uds,
    log_level="warning",
)  # fmt: skip
