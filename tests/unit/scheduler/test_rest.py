from __future__ import annotations

import threading
import time

from stelae.scheduler.rest import Rest

WAIT = 10.0


def test_who_began_to_wait_last_is_woken_first() -> None:
    lock, woken = threading.Lock(), []
    rest, work = Rest(lock), [0]
    began = [threading.Event() for _ in range(3)]

    def serve(name: int) -> None:
        with lock:
            began[name].set()
            rest.wait_for(lambda: work[0] > 0)
            work[0] -= 1
            woken.append(name)

    threads = [threading.Thread(target=serve, args=(name,)) for name in range(3)]
    for name, thread in enumerate(threads):
        thread.start()
        assert began[name].wait(WAIT)
        with lock:  # it waits, or it could not be had
            pass
    for _ in threads:
        with lock:
            work[0] += 1
            rest.wake()
        end = time.monotonic() + WAIT
        while work[0] and time.monotonic() < end:
            time.sleep(0.001)  # nothing tells when a thread has woken and taken its work
    for thread in threads:
        thread.join(WAIT)
    assert woken == [2, 1, 0]


def test_all_are_woken_and_nobody_waits_for_what_is_there() -> None:
    lock, closed = threading.Lock(), []
    rest = Rest(lock)

    def serve() -> None:
        with lock:
            rest.wait_for(lambda: bool(closed))

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    with lock:
        rest.wake()  # for nothing: it goes on waiting
        closed.append(True)
        rest.wake_all()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()
