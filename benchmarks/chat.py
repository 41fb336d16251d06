"""Tokens/s of chats over HTTP: this server's engines against their libraries and other servers.

Each side takes its turn in every round, on the same weights and threads, with conversations of
about 256 tokens that have nothing in common, and 48 tokens to write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks import chat_checkpoint, servers
from benchmarks.report import CONSOLE, machine, ratio, table
from benchmarks.servers import Contender, Running, running

NEW = 48
WORDS = 85
"""Words of a conversation; each takes about three tokens."""

FLIGHTS = (1, 8)
PEER = servers.PEERS / "chat"

SETUP = """
a peer is not installed in .cache/peers/chat:
  python3 -m venv .cache/peers/chat
  .cache/peers/chat/bin/pip install torch==2.13.0
  .cache/peers/chat/bin/pip install 'transformers[serving]==5.17.0' requests torch==2.13.0
  .cache/peers/chat/bin/pip install 'llama-cpp-python[server]==0.3.36'
"""

Rate = tuple[float, float]
"""Tokens per second, and the median time to the first token in seconds."""


@dataclass(frozen=True)
class Side:
    """Something that writes.

    Attributes:
        name: In the table.
        measure: Writes the answers to some conversations, all at once.
    """

    name: str
    measure: Callable[[Sequence[str]], Rate]


def stelae(engine: str, source: Path) -> Contender:
    """This project with one of its engines."""
    return Contender(
        f"stelae {engine}",
        (
            *(str(Path(sys.executable).parent / "stelae"), "serve"),
            *("--listen", "http://127.0.0.1:{port}", "--log-level", "warning"),
            *("--engine", engine),
        ),
        "/v1/chat/completions",
        "/readyz",
        (f"bench={source}",),
    )


def transformers_serve() -> Contender:
    """The library's own server."""
    return Contender(
        "transformers serve",
        (
            *(str(PEER / "bin/transformers"), "serve", str(chat_checkpoint.folder())),
            *("--host", "127.0.0.1", "--port", "{port}", "--device", "cpu"),
            *("--dtype", "bfloat16", "--continuous-batching", "--log-level", "warning"),
        ),
        "/v1/chat/completions",
        "/health",
    )


def llama_server() -> Contender:
    """llama-cpp-python's own server."""
    return Contender(
        "llama_cpp.server",
        (
            *(str(PEER / "bin/python"), "-m", "llama_cpp.server"),
            *("--model", str(chat_checkpoint.gguf()), "--n_ctx", "4096", "--n_threads", "2"),
            *("--host", "127.0.0.1", "--port", "{port}", "--verbose", "false"),
            *("--interrupt_requests", "false"),  # else a new request ends the one under way
        ),
        "/v1/chat/completions",
        "/v1/models",
    )


def conversations(count: int, seed: int) -> list[str]:
    """Texts that have nothing in common, each of about the same number of tokens."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        " ".join("".join(draw.choices(letters, k=5)) for _ in range(WORDS)) for _ in range(count)
    ]


def over_http(server: Running, model: str) -> Callable[[Sequence[str]], Rate]:
    """Asks a server."""

    def measure(texts: Sequence[str]) -> Rate:
        return asyncio.run(_asked(server.url, model, texts))

    return measure


async def _asked(url: str, model: str, texts: Sequence[str]) -> Rate:
    started = time.perf_counter()
    told = await asyncio.gather(*(_answer(url, model, text) for text in texts))
    seconds = time.perf_counter() - started
    return sum(map(_tokens, told)) / seconds, median(first for _, first in told)


Told = tuple[list[bytes], float]
"""Lines of an answer, and the seconds to the first that says anything."""


async def _answer(url: str, model: str, text: str) -> Told:
    """Ask, and keep what comes: it is read when the clock has stopped.

    The client runs on the cores that are measured, so it does as little as it can.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": NEW,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    where, content = urlsplit(url), json.dumps(body).encode()
    started, first = time.perf_counter(), 0.0
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    )
    writer.write(content)
    if b" 200 " not in (status := await reader.readline()):
        sys.exit(f"{url}: {status.decode()}{(await reader.read()).decode()}")
    lines = []
    async for line in reader:
        lines.append(line)
        first = first or (time.perf_counter() - started if _said(line) else 0.0)
    writer.close()
    return lines, first


def _events(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def _said(line: bytes) -> bool:
    choices = [choice for event in _events([line]) for choice in event.get("choices", [])]
    return any(choice["delta"].get("content") for choice in choices)


def _tokens(told: Told) -> int:
    """Tokens of an answer: as the server counts them, or else as it sent them."""
    used = [event["usage"] for event in _events(told[0]) if event.get("usage")]
    return int(used[-1]["completion_tokens"]) if used else sum(map(_said, told[0]))


def generator(device: str) -> Callable[[Sequence[str], int], int]:
    """``generate`` of transformers in this process, all texts in one padded batch.

    Returns:
        Writes so many tokens to each text; returns how many were written.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = chat_checkpoint.folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", pad_token="<|im_end|>")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval().to(device)

    def generate(texts: Sequence[str], new: int) -> int:
        said = [[{"role": "user", "content": text}] for text in texts]
        given: Any = tokenizer.apply_chat_template(
            said, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        ).to(device)
        with torch.inference_mode():
            made = model.generate(**given, max_new_tokens=new, min_new_tokens=new, do_sample=False)
        return (made.shape[1] - given["input_ids"].shape[1]) * len(texts)

    return generate


def library() -> Callable[[Sequence[str]], Rate]:
    """``generate`` of transformers, with the threads of a server."""
    import torch

    torch.set_num_threads(2)
    generate = generator("cpu")

    def measure(texts: Sequence[str]) -> Rate:
        started = time.perf_counter()
        written = generate(texts, NEW)
        return written / (time.perf_counter() - started), 0.0

    return measure


def llama() -> Callable[[Sequence[str]], Rate]:
    """llama.cpp in this process, one text after the other, as its Python class does."""
    from llama_cpp import Llama

    model = Llama(str(chat_checkpoint.gguf()), n_ctx=4096, n_threads=2, verbose=False)

    def measure(texts: Sequence[str]) -> Rate:
        started, tokens = time.perf_counter(), 0
        for text in texts:
            prompt = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
            made: Any = model.create_completion(prompt, max_tokens=NEW, temperature=0)
            tokens += made["usage"]["completion_tokens"]
        return tokens / (time.perf_counter() - started), 0.0

    return measure


def pipeline() -> Callable[[Sequence[str]], Rate]:
    """openvino-genai's pipeline in this process, with its own paged scheduler."""
    import numpy as np
    import openvino_genai
    from openvino import Tensor
    from openvino_genai.py_openvino_genai import GenerationConfig
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(chat_checkpoint.folder() / "tokenizer.json"))
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks, scheduler.max_num_batched_tokens = 256, 512
    # Keys and values as this project keeps them; by itself the library cuts them to 8 bits.
    settings = {
        "INFERENCE_NUM_THREADS": 2,
        "INFERENCE_PRECISION_HINT": "bf16",
        "KV_CACHE_PRECISION": "bf16",
    }
    model = openvino_genai.ContinuousBatchingPipeline(
        str(chat_checkpoint.gguf()), scheduler, "CPU", settings, {}
    )
    how = GenerationConfig(max_new_tokens=NEW, do_sample=False, ignore_eos=True)
    how.eos_token_id = model.get_config().eos_token_id
    numbers = iter(range(sys.maxsize))

    def measure(texts: Sequence[str]) -> Rate:
        said = [f"<|im_start|>user\n{t}<|im_end|>\n<|im_start|>assistant\n" for t in texts]
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in said]
        started, tokens = time.perf_counter(), 0
        handles = [model.add_request(next(numbers), Tensor(np.array([i])), how) for i in ids]
        while model.has_non_finished_requests():
            model.step()
            for handle in handles:
                while handle.can_read():
                    tokens += sum(len(made.generated_ids) for made in handle.read().values())
        return tokens / (time.perf_counter() - started), 0.0

    return measure


def first_tokens(
    server: Running, model: str, each: float, seconds: float = 30.0
) -> tuple[float, float]:
    """Median time to the first token: alone, and while ``each`` new requests come a second."""
    idle = [asyncio.run(_asked(server.url, model, conversations(1, 900 + i)))[1] for i in range(5)]
    return median(idle), asyncio.run(_under_stream(server.url, model, each, seconds))


async def _under_stream(url: str, model: str, each: float, seconds: float) -> float:
    texts = conversations(int(each * seconds), 77)

    async def later(index: int) -> float:
        await asyncio.sleep(index / each)
        return (await _answer(url, model, texts[index]))[1]

    return median(await asyncio.gather(*(later(i) for i in range(len(texts)))))


def main(arguments: Sequence[str]) -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chat")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="this project and libraries only")
    parser.add_argument("--gguf", action="store_true", help="llama.cpp in place of transformers")
    parser.add_argument(
        "--openvino", action="store_true", help="OpenVINO, against openvino-genai in process"
    )
    options = parser.parse_args(arguments)
    machine("stelae", "torch", "transformers")
    if options.gguf:
        ours, peer, own = stelae("llama_cpp", chat_checkpoint.gguf()), llama_server(), llama
    elif options.openvino:
        ours, peer, own = stelae("openvino", chat_checkpoint.folder()), None, pipeline
    else:
        ours = stelae("transformers_text", chat_checkpoint.folder())
        peer, own = transformers_serve(), library
    peers = [] if options.no_peers or peer is None else [peer]
    if peers and not Path(peer.command[0]).exists():
        sys.exit(SETUP)
    with running([ours, *peers]) as started:
        names = ["bench", str(chat_checkpoint.folder())]
        sides = [
            Side(server.contender.name, over_http(server, name))
            for server, name in zip(started, names, strict=False)
        ]
        sides.insert(1, Side("library in process", own()))
        rates = _rounds(sides, options.rounds)
        _show(sides, rates)
        most = median(rates[ours.name, max(FLIGHTS)]) / NEW
        for each in (most / 2, 2.0):
            idle, busy = first_tokens(started[0], "bench", each)
            CONSOLE.print(
                f"first token of {ours.name}: {idle:.3f} s alone, {busy:.3f} s while {each:.2f} "
                f"requests a second come, of {most:.2f} that it answers: {busy / idle:.2f} times"
            )


def _rounds(sides: Sequence[Side], rounds: int) -> dict[tuple[str, int], list[float]]:
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds + 1):
        for flight in FLIGHTS:
            for place, side in enumerate(sides):
                texts = conversations(flight, 1000 * number + 100 * place + flight)
                rate, _ = side.measure(texts)
                if number:  # the first warms up
                    rates.setdefault((side.name, flight), []).append(rate)
        CONSOLE.print(f"round {number} of {rounds}")
    return rates


def _show(sides: Sequence[Side], rates: dict[tuple[str, int], list[float]]) -> None:
    ours = sides[0].name
    rows = []
    for side in sides:
        for flight in FLIGHTS:
            own = rates[side.name, flight]
            rows.append([
                side.name, flight, median(own), min(own), max(own),
                ratio(rates[ours, flight], own),
                ratio(own, rates[side.name, 1]),
            ])  # fmt: skip
    columns = ["", "in flight", "tokens/s", "least", "most", "ours / it", "against one"]
    table("48 tokens after about 256", columns, rows)
