"""What importing the client does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "torch|transformers|starlette|uvicorn|pydantic|rich|httpx|numpy|asyncio"


@pytest.mark.parametrize("names", ["Client", "Item", "StelaeError", "Client, Encoding, Encodings"])
def test_importing_the_client_loads_nothing_heavy(names: str) -> None:
    code = f"import sys\nfrom stelae import {names}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "stelae" in loaded
    assert loaded.isdisjoint(HEAVY.split("|"))


def test_every_public_name_can_be_reached() -> None:
    import stelae
    import stelae.client

    for package in (stelae, stelae.client):
        assert all(hasattr(package, name) for name in package.__all__)
        assert sorted(package.__all__) == package.__all__
        with pytest.raises(AttributeError, match="nonsense"):
            package.nonsense  # noqa: B018
    assert set(dir(stelae)) >= set(stelae.__all__)
