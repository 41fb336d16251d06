"""What only the blocking client needs: threads, and no retry after its caller has gone."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest
from unit.client._sync.fix_client import client_of
from unit.client.fix_server import Server

from stelae.client._sync._crew import Crew
from stelae.errors import Cancelled, InvalidInput

name: ContextVar[str] = ContextVar("name")


def test_left_crew_pauses_for_nobody() -> None:
    with Crew() as crew:
        crew.pause(0.0)
    with pytest.raises(Cancelled):
        crew.pause(3600.0)


def test_jobs_see_the_callers_context() -> None:
    name.set("caller")
    with Crew() as crew:
        assert crew.result(crew.start(name.get)) == "caller"


def test_one_client_serves_many_threads() -> None:
    answers: dict[int, list[float]] = {}

    def work(number: int) -> None:
        answers[number] = client.encode([str(number)] * 3, batch_size=1).dense[:, 1].tolist()

    with client_of(Server()) as client:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert answers == {number: [float(ord(str(number)))] * 3 for number in range(8)}


def test_asynchronous_source_is_refused() -> None:
    class Source:
        def __aiter__(self) -> object:
            return self

    with client_of(Server()) as client, pytest.raises(InvalidInput, match="AsyncClient"):
        client.encode(Source())
