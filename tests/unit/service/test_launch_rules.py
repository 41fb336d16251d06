from __future__ import annotations

import re
from pathlib import Path

import pytest
from fix_house import house

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.errors import Forbidden, InvalidInput, ModelNotFound
from stelae.server.app import DIALECTS
from stelae.service.deployments import Defaults
from stelae.service.launch_rules import check_kind, check_launch, check_uid, unnamed_variant
from stelae.types import LaunchCall

CLOSED = Defaults(anywhere=False)
CHAT = Path(__file__).parents[2] / "data" / "chat"


def call(**more: object) -> LaunchCall:
    return LaunchCall(**{"model": "fake", **more})


HOMES = ("/v1/models/", "/stelae/v1/launches/")
PATHS = {
    re.sub(r"{\w+:int}", "0", re.sub(r"{\w+(:path)?}", "some", operation.path))
    for dialect in DIALECTS
    for operation in dialect.operations
}


@pytest.mark.parametrize("home", HOMES)
def test_no_uid_is_mistaken_for_another_path(home: str) -> None:
    below = {path.removeprefix(home) for path in PATHS if path.startswith(home)} - {"some"}
    assert below
    for uid in below:
        with pytest.raises(InvalidInput, match="a path of the server"):
            check_uid(uid)


@pytest.mark.parametrize("uid", ["progress", "replicas", "replicas/a", "a.b/c-d", "a/reloads"])
def test_uids_that_only_look_a_little_like_paths_are_taken(uid: str) -> None:
    assert check_uid(uid) == uid


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "ld_preload", "DYLD_INSERT_LIBRARIES",
        "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PATH", "Path", "BASH_ENV", "ENV",
        "GCONV_PATH", "GLIBC_TUNABLES", "OPENSSL_CONF", "STELAE_API_KEYS", "HOME",
        "CUDA_INJECTION64_PATH", "CUDA_VISIBLE_DEVICES",
    ],
)  # fmt: skip
def test_variables_that_take_over_a_process_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="may not set it"):
        check_launch(call(environment={name: "/opt/evil"}))


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), ("A=B", "x"), ("A B", "x"), ("A", "x\0y"), ("A", "x" * 40_000)]
)
def test_what_is_no_variable_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match="environment"):
        check_launch(call(environment={name: value}))


def test_what_stands_for_a_secret_is_not_taken_for_one() -> None:
    with pytest.raises(InvalidInput, match="HF_TOKEN"):
        check_launch(call(environment={"HF_TOKEN": "***"}))


def test_other_variables_are_taken() -> None:
    check_launch(call(environment={"HF_TOKEN": "secret", "OMP_NUM_THREADS": "1", "LDAP_URL": ""}))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"replicas": 0}, "replicas"),
        ({"replicas": 10**9}, "replicas"),
        ({"calls": 0}, "calls"),
        ({"calls": -1}, "calls"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"cache_tokens": 1}, "cache_tokens"),
        ({"batch_tokens": -5}, "batch_tokens"),
        ({"idle_seconds": 0.0}, "idle_seconds"),
        ({"idle_seconds": float("nan")}, "idle_seconds"),
        ({"gpus": ((0,), (1,)), "replicas": 3}, "gpus"),
        ({"gpus": ((-1,),)}, "gpus"),
        ({"gpus": ((10**6,),)}, "gpus"),
        ({"engine": "vroom"}, "engine"),
        ({"path": "relative/folder"}, "path"),
        ({"path": "/no/such/folder"}, "path"),
        ({"path": "/etc/passwd"}, "path"),
        ({"path": "/opt/\0"}, "path"),
    ],
)
def test_numbers_and_places_out_of_bounds_are_refused(more: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_launch(call(**more))
    assert raised.value.param == param


def test_an_unknown_engine_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="encoder"):
        check_launch(call(engine="vroom"))


def test_a_model_fits_the_kinds_that_it_can_be_for() -> None:
    spec = Catalog().spec("all-MiniLM-L6-v2")
    check_kind("m", "embedding", spec)
    check_kind("m", None, spec)
    with pytest.raises(InvalidInput, match="is for embedding or rerank"):
        check_kind("m", "llm", spec)


async def test_a_well_known_model_of_another_kind_is_refused_at_once() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match="is for embedding"):
            await made.launches.launch(call(model="bge-small-en-v1.5", kind="llm"))
        assert made.launches.all() == []


async def test_a_checkpoint_of_another_kind_is_refused_once_it_is_read() -> None:
    async with house() as made:
        info = await made.launches.launch(call(model=str(CHAT), kind="embedding"))
        assert info.uid == "chat"
        with pytest.raises(InvalidInput, match="is for llm"):
            await made.launches.ready("chat")


async def test_variants_that_do_not_exist_are_answered_with_those_that_do() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match=r"quantization=.*none"):
            await made.launches.launch(call(model="bge-small-en-v1.5", quantization="q9"))
        with pytest.raises(InvalidInput, match="size"):
            await made.launches.launch(call(model="bge-small-en-v1.5", size=-7))


@pytest.mark.parametrize(
    "more",
    [
        {"model": str(CHAT)},
        {"model": "all-MiniLM-L6-v2", "path": str(CHAT)},
        {"model": "nobody/knows-this"},
        {"model": "all-MiniLM-L6-v2", "loras": {"x": "/etc"}},
    ],
)
async def test_callers_launch_known_names_alone_where_the_server_is_closed(
    more: dict[str, object],
) -> None:
    async with house(defaults=CLOSED) as made:
        with pytest.raises(Forbidden, match=r"launch\.sources"):
            await made.launches.launch(LaunchCall(**more))
        await made.launches.launch(call(uid="mine"))
        await made.launches.ready("mine")


@pytest.mark.parametrize(
    "model", ["no-such-model", "../../etc", "", "a" * 10_000, "-x", "http://x/y"]
)
async def test_what_is_no_model_is_not_found(model: str) -> None:
    async with house() as made:
        with pytest.raises((ModelNotFound, InvalidInput)):
            await made.launches.launch(call(model=model))
        assert made.launches.all() == []


async def test_a_folder_beside_the_server_is_not_taken_for_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local-name").mkdir()
    monkeypatch.chdir(tmp_path)
    async with house() as made:
        with pytest.raises(ModelNotFound):
            await made.launches.launch(call(model="local-name"))


def test_model_that_writes_down_pictures_is_for_them_and_for_finding(zoo: Path) -> None:
    spec = Catalog().read(ModelEntry(name="m", source=str(zoo / "florence2")))
    assert spec.reads_pictures
    check_kind("m", "image", spec)
    check_kind("m", "extract", spec)
    with pytest.raises(InvalidInput, match="image"):
        check_kind("m", "audio", spec)


@pytest.mark.parametrize(
    ("more", "files"),
    [
        ({}, ()),
        ({"quantization": "none", "format": "pytorch"}, ()),
        ({"quantization": "Q4_K_M", "format": "ggufv2"}, ("*Q4_K_M*.gguf", "*q4_k_m*.gguf")),
        ({"quantization": "q8_0", "format": "GGUF"}, ("*q8_0*.gguf", "*Q8_0*.gguf")),
    ],
)
def test_a_gguf_file_is_chosen_by_its_quantisation(
    more: dict[str, object], files: tuple[str, ...]
) -> None:
    entry = ModelEntry(name="m", source="org/m-GGUF")
    assert unnamed_variant(entry, call(**more)).files == files


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"size": 7}, "size"),
        ({"quantization": "int4"}, "quantization"),
        ({"quantization": "../*", "format": "ggufv2"}, "quantization"),
    ],
)
def test_variants_of_a_repository_as_it_is_are_refused(more: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        unnamed_variant(ModelEntry(name="m", source="org/m"), call(**more))
    assert raised.value.param == param
