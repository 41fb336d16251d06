"""``stelae verify`` on small checkpoints, in this process and against a server."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fix_library import colbert, reranker, splade
from fix_unknown import colbert as sparse_attention
from live import live
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import BoW
from typer.testing import CliRunner, Result

from stelae.cli import pictures, sounds
from stelae.cli.app import app

SAMPLES = "34"
"""All odd texts, and some as long as the model reads and longer."""

Row = dict[str, Any]


def verify(*arguments: str, check: int = 0) -> Result:
    """Run the command in this process; fails unless it exits with ``check``."""
    command = ["verify", *arguments, "--samples", SAMPLES]
    ended = CliRunner().invoke(app, command, env={"NO_COLOR": "1", "STELAE_URL": None})
    assert ended.exit_code == check, (ended.stdout, ended.stderr)
    return ended


def rows(folder: Path, *arguments: str, check: int = 0) -> dict[tuple[str, str], Row]:
    """The rows of the report on a folder, by kind of output and side."""
    found = json.loads(verify(f"mine={folder}", *arguments, "--json", check=check).stdout)
    assert found["ok"] is (check == 0)
    return {(row["output"], row["side"]): row for row in found["rows"]}


@pytest.mark.parametrize("name", ["bert-mean", "roberta-mean", "qwen3-embedding", "gemma2-last"])
def test_dense_vectors_agree(zoo: Path, name: str) -> None:
    for row in rows(zoo / name, "--dtype", "float32").values():
        assert (row["output"], row["verdict"], row["failed"]) == ("dense", "ok", 0)
        assert row["max_difference"] <= 2e-6
        assert row["compared"] == int(SAMPLES)


def test_both_sides_are_compared_where_the_model_has_two(zoo: Path) -> None:
    found = rows(zoo / "bert-dense", "--dtype", "float32")
    assert set(found) == {("dense", side) for side in ("query", "document", "any")}


def test_bfloat16_has_its_own_tolerance(zoo: Path) -> None:
    (row,) = rows(zoo / "bert-mean", "--dtype", "bfloat16").values()
    assert row["tolerance"] == {"difference": None, "cosine": 0.9995}
    assert 0.9995 <= row["min_cosine"] < 0.9999999


def test_sparse_weights_agree(tmp_path: Path) -> None:
    splade(tmp_path)
    found = rows(tmp_path / "made", "--dtype", "float32")
    assert set(found) == {("sparse", "any")}
    assert found["sparse", "any"]["compared"] == int(SAMPLES)


def test_token_vectors_agree_on_both_sides(tmp_path: Path) -> None:
    colbert(tmp_path)
    found = rows(tmp_path / "made", "--dtype", "float32")
    assert set(found) == {("multivector", "query"), ("multivector", "document")}


def test_sparse_attention_is_the_same_whatever_was_read_before(zoo: Path, tmp_path: Path) -> None:
    found = rows(sparse_attention(zoo, tmp_path, "bigbird"), "--dtype", "float32")
    assert [row["max_difference"] <= 1e-5 for row in found.values()] == [True, True]


def test_words_of_a_bag_are_counted_on_both_sides(tmp_path: Path) -> None:
    bag = BoW(["the", "ocean", "a", "of", "and"], {"the": 0.25}, unknown_word_weight=2.0)
    SentenceTransformer(modules=[bag], device="cpu").save_pretrained(str(tmp_path))
    (row,) = rows(tmp_path, "--dtype", "float32").values()
    assert (row["verdict"], row["tokens_differ"]) == ("ok", 0)


def test_scores_agree_with_and_without_their_activation(tmp_path: Path) -> None:
    reranker(tmp_path)
    found = rows(tmp_path / "made", "--dtype", "float32")
    assert set(found) == {("scores", "pair"), ("logits", "pair")}


def test_table_has_a_line_for_each_side(zoo: Path) -> None:
    shown = verify(str(zoo / "bert-matryoshka"), "--dtype", "float32").stdout.splitlines()
    heads = [line.split()[0] for line in shown[:4]]
    assert heads == ["model", "engine", "reference", "fingerprint"]
    assert shown[4].split()[:3] == ["OUTPUT", "SIDE", "COMPARED"]
    assert [line.split()[:3] for line in shown[5:7]] == [
        ["dense", "query", SAMPLES],
        ["dense", "document", SAMPLES],
    ]
    assert all(line.endswith("ok") for line in shown[5:])


@pytest.mark.parametrize(
    "name", ["clip", "clip-legacy", "chinese-clip", "siglip", "siglip2", "open-clip"]
)
def test_texts_and_pictures_agree_each_in_a_row(zoo: Path, name: str) -> None:
    found = rows(zoo / name, "--dtype", "float32")
    assert set(found) == {("dense", "text"), ("dense", "image")}
    assert [(row["verdict"], row["failed"]) for row in found.values()] == [("ok", 0)] * 2
    assert found["dense", "image"]["compared"] == len(pictures.SHAPES)


def test_texts_and_recordings_agree_each_in_a_row(zoo: Path) -> None:
    found = rows(zoo / "clap-fused", "--dtype", "float32")
    assert set(found) == {("dense", "text"), ("dense", "audio")}
    assert [(row["verdict"], row["failed"]) for row in found.values()] == [("ok", 0)] * 2
    assert found["dense", "audio"]["compared"] == len(sounds.KINDS)
    assert {row["reference"] for row in found.values()} == {"transformers"}


def test_pictures_in_bfloat16_have_its_tolerance(zoo: Path) -> None:
    found = rows(zoo / "siglip2", "--dtype", "bfloat16")
    for row in found.values():
        assert row["tolerance"] == {"difference": None, "cosine": 0.9995}
        assert 0.9995 <= row["min_cosine"] < 0.9999999


def test_each_row_says_who_it_is_compared_with(zoo: Path) -> None:
    found = rows(zoo / "bge-m3", "--dtype", "float32")
    assert {key[0]: row["reference"] for key, row in found.items()} == {
        "dense": "sentence-transformers",
        "sparse": "formula",
        "multivector": "formula",
    }


def test_model_that_finds_things_has_nothing_to_compare(zoo: Path) -> None:
    ended = verify(str(zoo / "gliner-span"), check=5)
    assert "neither vectors nor scores" in ended.stderr
    assert "gliner" in ended.stderr


def test_model_that_lies_fails(zoo: Path) -> None:
    ended = verify(str(zoo / "bert-mean"), "--engine", "fake", "--dtype", "float32", check=1)
    assert ended.stdout.splitlines()[-1].endswith("failed")
    assert "farthest apart is" in ended.stderr


def test_reference_that_makes_weights_up_is_none(zoo: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(zoo / "bert-mean", tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    options = ("--engine", "fake", "--dtype", "float32")
    (row,) = rows(copy, *options, check=5).values()
    assert row["verdict"] == "no reference"
    assert "at random" in row["reason"]


def pooled_otherwise(folder: Path, copy: Path) -> Path:
    """A copy of a checkpoint whose pooling is another."""
    shutil.copytree(folder, copy)
    file = copy / "1_Pooling" / "config.json"
    settings = json.loads(file.read_text("utf-8"))
    settings |= {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    file.write_text(json.dumps(settings), "utf-8")
    return copy


async def test_pictures_of_a_server_are_held_to_the_checkpoint(zoo: Path) -> None:
    folder = zoo / "clip"
    models = {"seen": {"source": str(folder), "dtype": "bfloat16"}}
    async with live(models=models) as server:
        options = ("--server", server.url, "--served-as", "seen", "--json")
        ended = await asyncio.to_thread(verify, str(folder), *options)
    found = json.loads(ended.stdout)
    assert [(row["side"], row["verdict"], row["tokens_differ"]) for row in found["rows"]] == [
        ("text", "ok", 0),
        ("image", "ok", 0),
    ]
    assert found["dtype"] == "bfloat16"


async def test_server_is_held_to_the_checkpoint_it_should_serve(zoo: Path, tmp_path: Path) -> None:
    folder = zoo / "bert-mean"
    copy = pooled_otherwise(folder, tmp_path / "copy")
    models = {
        name: {"source": str(source), "dtype": "float32"}
        for name, source in {"same": folder, "pooled": copy, "other": zoo / "bert-concat"}.items()
    }
    async with live(models=models) as server:

        async def served(name: str, check: int) -> Result:
            options = ("--server", server.url, "--served-as", name, "--json")
            return await asyncio.to_thread(verify, str(folder), *options, check=check)

        same = json.loads((await served("same", 0)).stdout)
        assert (same["engine"], same["ok"]) == (f"encoder at {server.url}", True)
        (row,) = json.loads((await served("pooled", 1)).stdout)["rows"]
        assert (row["verdict"], row["tokens_differ"]) == ("failed", 0)
        assert row["min_cosine"] < 0.99
        assert "these are different models" in (await served("other", 1)).stderr
