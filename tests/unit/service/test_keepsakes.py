from __future__ import annotations

from pathlib import Path

import pytest

from stelae.errors import Conflict
from stelae.service.keepsakes import Keepsakes
from stelae.service.store import Store


def test_documents_are_kept_by_kind_until_they_are_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path, keep_seconds=0.0)
    ours, others = Keepsakes(store, "ours"), Keepsakes(store, "others")
    ours.keep("b", b"1")
    ours.keep("a", b"2")
    others.keep("a", b"3")
    ours.keep("b", b"4")
    store.close()
    store = Store(tmp_path)
    again = Keepsakes(store, "ours")
    assert again.all() == [("b", b"4"), ("a", b"2")]
    again.drop("b")
    again.drop("nobody")
    assert again.all() == [("a", b"2")]
    store.close()


def test_store_that_nobody_used_is_not_made(tmp_path: Path) -> None:
    kept = Keepsakes(Store(tmp_path / "none"), "ours")
    assert kept.all() == []
    kept.drop("a")
    assert not (tmp_path / "none").exists()


def test_store_of_another_server_is_not_read(tmp_path: Path) -> None:
    first = Store(tmp_path)
    Keepsakes(first, "ours").keep("a", b"1")
    with pytest.raises(Conflict, match="another server"):
        Keepsakes(Store(tmp_path), "ours").all()
    first.close()
