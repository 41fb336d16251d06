"""Reading GGUF files: what they say, and how broken and hostile ones are refused."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny.gguf import text, write_gguf

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.gguf import Stored, read_gguf
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Task


@pytest.fixture(scope="module")
def file(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(zoo / "qwen3-chat", tmp_path_factory.mktemp("gguf") / "talker.gguf")


def spec_of(source: Path, **more: Any) -> ModelSpec:
    return Catalog([ModelEntry(name="talker", source=str(source), **more)]).spec("talker")


def head(*entries: bytes, tensors: bytes = b"", count: int = 0, version: int = 3) -> bytes:
    start = struct.pack("<4sIQQ", b"GGUF", version, count, len(entries))
    return start + b"".join(entries) + tensors


def read(folder: Path, data: bytes) -> Any:
    (folder / "x.gguf").write_bytes(data)
    return read_gguf(folder, "x.gguf")


def test_metadata_and_tensors_are_those_that_were_written(file: Path) -> None:
    found = read_gguf(file.parent, file.name)
    assert found.values["general.architecture"] == "qwen3"
    assert found.values["qwen3.rope.freq_base"] == 1e6
    assert found.values["tokenizer.ggml.tokens"][607] == "<|im_end|>"
    assert found.values["tokenizer.ggml.token_type"][607] == 3
    assert found.tensors["token_embd.weight"] == Stored("F16", (640, 64))
    assert found.tensors["output_norm.weight"] == Stored("F32", (64,))


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    numbers = {"<B": 0, "<b": 1, "<H": 2, "<h": 3, "<I": 4, "<i": 5, "<f": 6, "<Q": 10, "<q": 11}
    entries = [
        text(form) + struct.pack("<I", kind) + struct.pack(form, 7)
        for form, kind in numbers.items()
    ]
    entries.append(text("yes") + struct.pack("<IB", 7, 1))
    entries.append(text("d") + struct.pack("<Id", 12, 0.1))
    entries.append(text("a") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3))
    entries.append(text("t") + struct.pack("<IIQ", 9, 8, 2) + text("é") + text(""))
    values = read(tmp_path, head(*entries)).values
    assert all(values[form] == 7 for form in numbers)
    assert values["yes"] is True
    assert values["d"] == 0.1
    assert np.array_equal(values["a"], [1, 2, 3])
    assert values["t"] == ["é", ""]


HOSTILE = {
    "other letters": b"GGML" + head()[4:],
    "nothing": b"",
    "many entries": struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**63),
    "many tensors": struct.pack("<4sIQQ", b"GGUF", 3, 2**40, 0),
    "a long name": head(struct.pack("<Q", 2**62)),
    "a long text": head(text("k") + struct.pack("<IQ", 8, 2**62)),
    "a long array": head(text("k") + struct.pack("<IIQ", 9, 12, 2**61)),
    "an array of arrays": head(text("k") + struct.pack("<IIQ", 9, 9, 1)),
    "an unknown kind": head(text("k") + struct.pack("<I", 99)),
    "many axes": head(tensors=text("t") + struct.pack("<I", 1000), count=1),
    "a huge tensor": head(
        tensors=text("t") + struct.pack("<I4QIQ", 4, *(2**60,) * 4, 0, 0), count=1
    ),
    "a tensor elsewhere": head(tensors=text("t") + struct.pack("<IQIQ", 1, 1, 0, 2**60), count=1),
    "half a block": head(tensors=text("t") + struct.pack("<IQIQ", 1, 7, 8, 0), count=1) + bytes(99),
    "no alignment": head(text("general.alignment") + struct.pack("<II", 4, 0)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"x\.gguf is not a whole GGUF file"):
        read(tmp_path, data)


def test_other_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="version 1"):
        read(tmp_path, head(version=1))
    with pytest.raises(UnsupportedCheckpoint, match="byte order"):
        read(tmp_path, struct.pack(">4sIQQ", b"GGUF", 3, 0, 0))


def test_a_file_that_broke_off_is_refused_wherever_it_did(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for size in (*range(0, 2000, 37), len(whole) // 2, len(whole) - 64):
        with pytest.raises(ModelLoadFailed):
            read(tmp_path, whole[:size])


@settings(max_examples=100)
@given(place=st.integers(0, 4000), value=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(file: Path, place: int, value: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] = value
    try:
        read(file.parent, bytes(data))
    except ModelLoadFailed:
        return


# -- models ------------------------------------------------------------------------------------


def test_a_file_is_a_chat_model(file: Path, zoo: Path) -> None:
    spec, folder = spec_of(file), spec_of(zoo / "qwen3-chat")
    assert spec.tasks == (Task.CHAT,)
    assert spec.max_tokens == folder.max_tokens == 512
    assert spec.generation is not None
    assert folder.generation is not None
    assert spec.generation.template == folder.generation.template
    assert set(spec.generation.ends) == set(folder.generation.ends)
    assert spec.generation.specials == folder.generation.specials
    assert isinstance(spec.backbone, Backbone)
    assert spec.backbone.architecture == "qwen3"
    assert spec.backbone.config["stored"] == ["F16"]


def test_a_folder_with_one_file_is_that_model(zoo: Path, tmp_path: Path) -> None:
    write_gguf(zoo / "llama-chat", tmp_path / "any.gguf")
    assert spec_of(tmp_path).backbone.architecture == "llama"


def test_a_file_is_served_under_its_name(file: Path) -> None:
    here = Catalog()
    assert here.register_argument(str(file)).name == "talker"
    assert here.register_argument(f"other={file}").name == "other"
    assert here.spec("talker").backbone == here.spec("other").backbone


def test_a_folder_with_several_models_asks_for_one(zoo: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_gguf(zoo / "qwen3-chat", tmp_path / f"{name}.gguf")
    with pytest.raises(UnsupportedCheckpoint, match=r"2 GGUF files: a\.gguf, b\.gguf") as caught:
        spec_of(tmp_path)
    assert "the file itself" in str(caught.value.hint)
    assert spec_of(tmp_path / "b.gguf").backbone.architecture == "qwen3"


def test_parts_of_one_model_are_taken_together(zoo: Path, tmp_path: Path) -> None:
    for part in (1, 2):
        write_gguf(zoo / "qwen3-chat", tmp_path / f"m-{part:05d}-of-00002.gguf")
    spec = spec_of(tmp_path)
    assert isinstance(spec.backbone, Backbone)
    assert spec.backbone.weights == ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    with pytest.raises(ModelLoadFailed, match=r"give the first, m-00001-of-00002\.gguf"):
        spec_of(tmp_path / "m-00002-of-00002.gguf")
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(ModelLoadFailed, match="is missing"):
        spec_of(tmp_path)


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no template": ({"tokenizer__chat_template": None}, UnsupportedCheckpoint, "chat template"),
    "a huge template": ({"tokenizer__chat_template": "a" * 2**17}, ModelLoadFailed, "too long"),
    "a length of 0": ({"qwen3__context_length": 0}, ModelLoadFailed, "context_length"),
    "no length": ({"qwen3__context_length": None}, UnsupportedCheckpoint, "no longest input"),
    "no architecture": ({"general__architecture": None}, ModelLoadFailed, "architecture"),
    "an unknown end": ({"tokenizer__ggml__eos_token_id": 640}, ModelLoadFailed, "eos_token_id"),
    "no tokens": ({"tokenizer__ggml__tokens": None}, ModelLoadFailed, "no tokens"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_files_that_are_no_chat_model_are_refused(
    case: tuple[dict[str, Any], type[Exception], str], zoo: Path, tmp_path: Path
) -> None:
    values, error, message = case
    path = write_gguf(zoo / "qwen3-chat", tmp_path / "x.gguf", **values)
    with pytest.raises(error, match=message):
        spec_of(path)


def test_a_longer_text_than_the_model_reads_is_refused(file: Path) -> None:
    assert spec_of(file, max_tokens=100).max_tokens == 100
    with pytest.raises(InvalidInput, match=r"choose 1\.\.512"):
        spec_of(file, max_tokens=513)
