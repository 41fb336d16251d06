"""Load of messages made beforehand, whose answers nobody reads; prints one line of JSON.

    python clip_wire.py URL BATCH DOCUMENTS CLIENTS ITERATIONS

Clients with a connection each send DOCUMENTS in batches on one stream, 100 batches under way, as
the original client does, again and again; the first round is not counted. So the time of a server
is measured, and not that of a client.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid

import grpc

from stelae.wire.clip.messages import DataRequest
from stelae.wire.clip.names import CALL

PREFETCH = 100
WORDS = 8
WARMUP = 1


def messages(size: int, count: int, seed: int) -> list[bytes]:
    """Requests of so many documents each, with words as captions have them."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        request = DataRequest()
        request.header.request_id = uuid.UUID(int=chance.getrandbits(128)).hex
        request.header.exec_endpoint = "/encode"
        request.parameters.fields["drop_image_content"].bool_value = True
        for _ in range(size):
            document = request.data.docs.docs.add()
            document.id = uuid.UUID(int=chance.getrandbits(128)).hex
            document.text = " ".join(f"word{chance.randrange(100)}" for _ in range(WORDS))
        made.append(request.SerializeToString())
    return made


async def call(channel: grpc.aio.Channel, given: list[bytes]) -> int:
    """Send messages on a stream of their own; returns the bytes of the answers."""
    room = asyncio.Semaphore(PREFETCH)

    async def sent():
        for message in given:
            await room.acquire()
            yield message

    stream = channel.stream_stream(CALL)(sent(), metadata=(("__prefetch__", str(PREFETCH)),))
    came = []
    async for answer in stream:
        room.release()
        came.append(len(answer))
    if len(came) != len(given) or min(came) < 4 * max(map(len, given)):
        raise RuntimeError(f"{len(came)} answers of {min(came, default=0)} bytes and more")
    return sum(came)


async def client(url: str, given: list[bytes], turns: int, ready: asyncio.Barrier) -> None:
    """Call again and again."""
    place = url.removeprefix("grpc://")
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(place, options=options) as channel:
        for turn in range(WARMUP + turns):
            if turn == WARMUP:
                await ready.wait()
            await call(channel, given)


async def main(url: str, size: int, each: int, count: int, turns: int) -> None:
    """Keep clients busy; tell documents per second."""
    ready = asyncio.Barrier(count + 1)
    given = [messages(size, each // size, number) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        for mine in given:
            group.create_task(client(url, mine, turns, ready))
        await ready.wait()
        started, cpu = time.perf_counter(), time.process_time()
    seconds = time.perf_counter() - started
    documents = count * turns * (each // size) * size
    own = 1e6 * (time.process_time() - cpu) / documents
    print(json.dumps({"rate": documents / seconds, "failed": 0, "own": own}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:6])))
