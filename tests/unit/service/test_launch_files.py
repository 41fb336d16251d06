from __future__ import annotations

from pathlib import Path

import pytest
from fix_house import house

from stelae.errors import InvalidInput
from stelae.types import LaunchCall


@pytest.mark.parametrize("field", ["model", "path"])
async def test_a_folder_without_a_checkpoint_is_the_mistake_of_the_caller(
    tmp_path: Path, field: str
) -> None:
    call = LaunchCall(**{"model": "fake", "uid": "mine", field: str(tmp_path)})
    async with house() as made:
        with pytest.raises(InvalidInput, match="no checkpoint") as caught:
            await made.launches.launch(call)
        assert (caught.value.param, made.launches.has("mine")) == (field, False)


async def test_an_engine_that_cannot_serve_a_model_is_the_mistake_of_the_caller(
    zoo: Path,
) -> None:
    call = LaunchCall(model=str(zoo / "bert-dense"), uid="mine", engine="vllm")
    async with house() as made:
        with pytest.raises(InvalidInput, match="it cannot") as caught:
            await made.launches.launch(call)
        assert (caught.value.param, made.launches.has("mine")) == ("engine", False)


@pytest.mark.parametrize("there", [True, False])
async def test_an_adapter_without_its_configuration_is_refused_at_launch(
    tmp_path: Path, there: bool
) -> None:
    source = str(tmp_path if there else tmp_path / "none")
    async with house() as made:
        with pytest.raises(InvalidInput, match=r"loras\.law=") as caught:
            await made.launches.launch(LaunchCall(model="fake", uid="m", loras={"law": source}))
        assert caught.value.param == "loras"
        hub = LaunchCall(model="fake", uid="m", loras={"law": "someone/law@main"})
        assert (await made.launches.launch(hub)).uid == "m"
