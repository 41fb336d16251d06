from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from live import Live, live, until
from parrot import Parrot

from stelae.dialects.native import DIALECT as NATIVE

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
MANY = "/parrot.Parrot/Many"
ONCE = "/parrot.Parrot/Once"
PEEK = "/parrot.Parrot/Peek"
HEALTH = "/grpc.health.v1.Health/Check"
NO_LIMITS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True, slots=True)
class Aviary:
    """A server with a parrot, and a channel to it."""

    parrot: Parrot
    server: Live
    channel: Any

    async def once(self, message: bytes, method: str = ONCE, **more: Any) -> bytes:
        said: bytes = await self.channel.unary_unary(method)(message, **more)
        return said

    async def many(self, messages: Iterable[bytes], **more: Any) -> list[bytes]:
        return [said async for said in self.channel.stream_stream(MANY)(iter(messages), **more)]

    def value(self, line: str) -> bool:
        return line.encode() in self.server.app.reception.metrics.render()


@asynccontextmanager
async def aviary(**settings: Any) -> AsyncIterator[Aviary]:
    parrot = Parrot()
    async with live(at=ADDRESSES, dialects=(NATIVE, parrot.dialect), **settings) as server:
        target = server.urls[1].removeprefix("grpc://")
        async with grpc.aio.insecure_channel(target, options=NO_LIMITS) as channel:
            yield Aviary(parrot, server, channel)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_one_message_is_answered() -> None:
    async with aviary() as made:
        assert await made.once(b"hello") == b"hello"


async def test_stream_is_answered_message_by_message() -> None:
    async with aviary() as made:
        said = await made.many([b"a", b"", b"c"])
    assert sorted(said) == [b"", b"a", b"c"]


async def test_stream_without_messages_ends_well() -> None:
    async with aviary() as made:
        assert await made.many([]) == []


async def test_answers_leave_as_they_are_made() -> None:
    async with aviary() as made:
        stream = made.channel.stream_stream(MANY)(iter([b"hold", b"quick"]))
        assert await stream.read() == b"quick"
        made.parrot.go.set()
        assert await stream.read() == b"hold"


async def test_answers_keep_their_order_where_that_is_asked_for() -> None:
    async with aviary() as made:
        messages = [b"hold", *(b"%d" % n for n in range(20))]
        asking = asyncio.create_task(made.many(messages, metadata=(("in-order", "1"),)))
        await until(lambda: len(made.parrot.heard) == 21)
        made.parrot.go.set()
        assert await asking == messages


@pytest.mark.parametrize(("asked", "most"), [("2", 2), ("50", 5), ("0", 5)])
async def test_messages_are_read_only_where_there_is_room(asked: str, most: int) -> None:
    async with aviary(limits={"messages": 5}) as made:
        messages = [b"hold%d" % n for n in range(30)]
        asking = asyncio.create_task(made.many(messages, metadata=(("at-once", asked),)))
        await until(lambda: made.parrot.held == most)
        assert len(made.parrot.heard) == most
        made.parrot.go.set()
        assert len(await asking) == 30
        assert made.parrot.most == most


async def test_thousand_streams_are_answered_at_once() -> None:
    async with aviary(log={"access": False}) as made:
        calls = [asyncio.create_task(made.many([b"hold", b"x"])) for _ in range(1000)]
        await until(lambda: made.parrot.held == 1000, seconds=30)
        made.parrot.go.set()
        answers = await asyncio.gather(*calls)
    assert all(sorted(said) == [b"hold", b"x"] for said in answers)


async def test_thousands_of_calls_that_arrive_together_are_answered() -> None:
    async with aviary() as made:
        calls = [made.once(b"%d" % number) for number in range(3000)]
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(3000)]


async def test_more_calls_than_the_limit_are_refused() -> None:
    async with aviary(limits={"streams": 1}) as made:
        first = made.channel.stream_stream(MANY)()
        await first.write(b"hold")
        await until(lambda: made.parrot.held == 1)
        target = made.server.urls[1].removeprefix("grpc://")
        alone = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(target, options=alone) as other:
            error = await refused(other.unary_unary(ONCE)(b"x"))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.cancel()


async def test_streams_reset_at_once_leave_nothing_behind() -> None:
    async with aviary() as made:
        for _ in range(300):
            stream = made.channel.stream_stream(MANY)()
            await stream.write(b"hold")
            stream.cancel()
        await until(lambda: made.parrot.held == 0)
        assert await made.once(b"still here") == b"still here"
        await until(lambda: made.value("stelae_requests_in_flight 0.0"))
        assert made.server.app.reception.ledger.held == 0


async def test_caller_who_leaves_frees_its_work() -> None:
    async with aviary() as made:
        stream = made.channel.stream_stream(MANY)()
        for _ in range(5):
            await stream.write(b"hold")
        await until(lambda: made.parrot.held == 5)
        stream.cancel()
        await until(lambda: made.parrot.dropped == 5)
        await until(lambda: made.server.app.reception.ledger.held == 0)


async def test_caller_who_leaves_while_it_is_answered_is_no_failure_of_the_server() -> None:
    async with aviary() as made:
        for _ in range(100):
            stream = made.channel.stream_stream(MANY)(iter([b"loud:100000"] * 4))
            await stream.read()
            stream.cancel()
        await until(lambda: made.value("stelae_requests_in_flight 0.0"))
        assert made.value('code="499"')
        assert not made.value('code="500"')


async def test_time_of_the_caller_ends_the_work() -> None:
    async with aviary() as made:
        error = await refused(made.once(b"hold", timeout=0.2))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: made.parrot.dropped == 1)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("invalid_input", "INVALID_ARGUMENT"),
        ("unauthorized", "UNAUTHENTICATED"),
        ("forbidden", "PERMISSION_DENIED"),
        ("model_not_found", "NOT_FOUND"),
        ("queue_full", "RESOURCE_EXHAUSTED"),
        ("model_not_ready", "UNAVAILABLE"),
        ("shutting_down", "UNAVAILABLE"),
        ("deadline_exceeded", "DEADLINE_EXCEEDED"),
        ("conflict", "FAILED_PRECONDITION"),
        ("engine_failed", "INTERNAL"),
        ("missing_dependency", "UNIMPLEMENTED"),
    ],
)
async def test_errors_become_statuses(code: str, status: str) -> None:
    async with aviary() as made:
        error = await refused(made.once(b"fail:" + code.encode()))
        assert (error.code().name, error.details()) == (status, "as you wished")
        assert ("x-stelae-error-code", code) in tuple(error.trailing_metadata())
        assert made.value(f'stelae_errors_total{{code="{code}"}} 1.0')


async def test_error_of_one_message_ends_the_stream() -> None:
    async with aviary() as made:
        error = await refused(made.many([b"hold", b"fail:invalid_input"]))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert made.parrot.dropped == 1


async def test_crash_tells_nothing_of_the_server() -> None:
    async with aviary() as made:
        error = await refused(made.once(b"fail:crash"))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "as you wished" not in str(error.details())


async def test_message_that_cannot_be_read_is_the_callers_mistake() -> None:
    async with aviary() as made:
        error = await refused(made.once(b"\xff"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a message" in str(error.details())


async def test_call_without_its_message_is_refused() -> None:
    async with aviary() as made:
        error = await refused(made.channel.stream_unary(ONCE)(iter(())))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["/parrot.Parrot/No", "/x.Y/Z", "/jina.JinaRPC/Callx"])
async def test_unknown_method_is_unimplemented_and_no_label(method: str) -> None:
    async with aviary() as made:
        error = await refused(made.once(b"", method))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert not made.value(method)


@pytest.mark.parametrize(
    "shown", [(), (("authorization", "wrong"),), (("authorization", "Basic secret"),)]
)
@pytest.mark.parametrize("method", [ONCE, MANY])
async def test_without_a_known_key_nothing_is_read(
    shown: tuple[tuple[str, str], ...], method: str
) -> None:
    async with aviary(api_keys=("secret",)) as made:
        error = await refused(made.once(b"x", method, metadata=shown))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert made.parrot.heard == []


@pytest.mark.parametrize(
    "shown",
    [("authorization", "secret"), ("authorization", "Bearer secret"), ("x-api-key", "secret")],
)
async def test_known_key_opens(shown: tuple[str, str]) -> None:
    async with aviary(api_keys=("secret",)) as made:
        assert await made.once(b"x", metadata=(shown,)) == b"x"


async def test_open_method_decides_itself_what_needs_a_key() -> None:
    async with aviary(api_keys=("secret",)) as made:
        assert await made.once(b"", PEEK) == b""
        error = await refused(made.once(b"x", PEEK))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert await made.once(b"x", PEEK, metadata=(("x-api-key", "secret"),)) == b"x"


async def test_health_needs_no_key() -> None:
    async with aviary(api_keys=("secret",)) as made:
        assert await made.once(b"", HEALTH) == b"\x08\x01"  # SERVING
        assert await made.once(b"\x0a\x0dparrot.Parrot", HEALTH) == b"\x08\x01"
        error = await refused(made.once(b"\x0a\x01x", HEALTH))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        error = await refused(made.once(b"\xff", HEALTH))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_id_of_the_caller_comes_back() -> None:
    async with aviary() as made:
        call = made.channel.unary_unary(ONCE)(b"x", metadata=(("x-request-id", "job-7"),))
        assert ("x-request-id", "job-7") in tuple(await call.initial_metadata())


async def test_calls_are_counted_like_requests() -> None:
    async with aviary() as made:
        await made.once(b"x")
        labels = f'code="200",dialect="parrot",model="parrot",route="{ONCE}"'
        rendered = made.server.app.reception.metrics.render().decode()
    line = next(li for li in rendered.splitlines() if ONCE in li and "requests_total" in li)
    assert sorted(line[line.index("{") + 1 : line.index("}")].split(",")) == sorted(
        labels.split(",")
    )


async def test_large_message_is_taken_up_to_the_limit() -> None:
    async with aviary(limits={"body_bytes": "8MiB"}) as made:
        whole = bytes(8 * 1024**2)
        assert await made.once(whole) == whole
        error = await refused(made.once(whole + b"x"))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_compressed_message_counts_unpacked() -> None:
    async with aviary(limits={"body_bytes": "1MiB"}) as made:
        packed = grpc.Compression.Gzip
        assert await made.once(bytes(1024**2), compression=packed) == bytes(1024**2)
        error = await refused(made.once(bytes(100 * 1024**2), compression=packed))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await made.once(b"still here") == b"still here"


async def test_huge_metadata_is_refused() -> None:
    async with aviary() as made:
        error = await refused(made.once(b"x", metadata=(("x-long", "y" * 1_000_000),)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert made.parrot.heard == []
        assert await made.once(b"still here") == b"still here"


async def test_stream_waits_for_its_own_bytes_and_others_are_refused() -> None:
    limits = {"body_bytes": "1MiB", "in_flight_bytes": "2MiB"}
    async with aviary(limits=limits) as made:
        large = b"hold".ljust(900_000)
        asking = asyncio.create_task(made.many([large] * 6))
        await until(lambda: made.parrot.held == 2)
        error = await refused(made.once(bytes(900_000)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(made.parrot.heard) == 2
        made.parrot.go.set()
        assert await asking == [large] * 6
        await until(lambda: made.server.app.reception.ledger.held == 0)


async def test_caller_who_reads_nothing_stops_the_work() -> None:
    async with aviary(limits={"messages": 4}) as made:
        stream = made.channel.stream_stream(MANY)(iter([b"loud:4000000"] * 100))
        await until(lambda: len(made.parrot.heard) >= 4)
        for _ in range(100):
            await made.once(b"others are answered meanwhile")
        assert made.parrot.heard.count(b"loud:4000000") < 50
        assert len([said async for said in stream]) == 100


async def test_server_that_stops_answers_what_is_in_work_and_ends_idle_streams() -> None:
    async with aviary() as made:
        idle, busy = (made.channel.stream_stream(MANY)() for _ in range(2))
        await idle.write(b"x")
        assert await idle.read() == b"x"
        await busy.write(b"hold")
        await until(lambda: made.parrot.held == 1)
        made.server.carriers.stop()
        error = await refused(idle.read())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        made.parrot.go.set()
        assert await busy.read() == b"hold"
        error = await refused(busy.read())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        error = await refused(made.once(b"late"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_work_that_takes_too_long_is_left_when_the_server_stops() -> None:
    async with aviary(limits={"drain_seconds": 0.2}) as made:
        asking = asyncio.create_task(refused(made.once(b"hold")))
        await until(lambda: made.parrot.held == 1)
        made.server.carriers.stop()
        error = await asking
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert made.parrot.dropped == 1
