"""Checkpoints in layouts that no library reads, written anew in one that it does read.

The numbers stay what they are; only their names and the files that describe them change.
What is not written anew is copied, or if it is large, a link to the checkpoint's own file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from safetensors.torch import load_file, save_file
from torch import Tensor

from stelae.catalog.files import read_object
from stelae.catalog.fingerprint import weight_paths
from stelae.catalog.open_clip import OPEN_CLIP, WEIGHTS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.torch_file import TORCH_SUFFIXES
from stelae.engines.references.made import trunk_of
from stelae.engines.references.open_clip import as_clip, clip_config, clip_processing
from stelae.nn.torch_file import read_torch

Tensors = Mapping[str, Tensor]

READ_BY_FORMULA = frozenset({"sparse_linear.pt", "colbert_linear.pt"})
"""Heads of BGE-M3, which no library is given."""

LARGE = 64 * 2**20
"""Bytes of a file beyond which it is not copied."""

MODULES = "sentence_transformers.models."


@contextmanager
def readable(spec: ModelSpec) -> Iterator[ModelSpec]:
    """The same model in a folder that libraries read, for as long as it is loaded."""
    write = next((write for fits, write in LAYOUTS if fits(spec)), None)
    if write is None:
        yield spec
        return
    with TemporaryDirectory(prefix="stelae-verify-") as folder:
        write(spec, Path(folder))
        yield msgspec.structs.replace(spec, folder=folder)


def _in_torch(spec: ModelSpec) -> bool:
    return any(Path(name).suffix in TORCH_SUFFIXES for name in _torch_files(spec))


def _torch_files(spec: ModelSpec) -> list[str]:
    return [
        name
        for name in weight_paths(spec)
        if Path(name).suffix in TORCH_SUFFIXES and name not in READ_BY_FORMULA
    ]


def _write_torch(spec: ModelSpec, folder: Path) -> None:
    """Weights in torch's own format: the same tensors as safetensors, one file a folder."""
    files = _torch_files(spec)
    _take(spec, folder, *files)
    for home in {Path(name).parent for name in files}:
        parts = [read_torch(Path(spec.folder, name)) for name in files if Path(name).parent == home]
        _save({name: tensor for part in parts for name, tensor in part.items()}, folder / home)


def _is_jina_colbert(spec: ModelSpec) -> bool:
    config = read_object(Path(spec.folder), "config.json") or {}
    rotary = config.get("position_embedding_type") == "rotary"
    return rotary and config.get("architectures") == ["HF_ColBERT"]


def _write_jina_colbert(spec: ModelSpec, folder: Path) -> None:
    """Jina ColBERT 2 is Stanford's layout around the transformer of Jina Embeddings 3."""
    _take(spec, folder, "config.json")
    config = read_object(Path(spec.folder), "config.json") or {}
    for name in ("auto_map", "position_embedding_type"):
        config.pop(name, None)
    angles = {"rope_type": "default", "rope_theta": config.pop("rotary_emb_base")}
    _write(
        folder / "config.json",
        config | {"model_type": "jina_embeddings_v3", "rope_parameters": angles},
    )


def _is_mclip(spec: ModelSpec) -> bool:
    config = read_object(Path(spec.folder), "config.json") or {}
    return config.get("architectures") == ["MultilingualCLIP"]


def _write_mclip(spec: ModelSpec, folder: Path) -> None:
    """M-CLIP is an encoder, the mean of its vectors and a linear layer.

    Source: https://github.com/FreddeFrallan/Multilingual-CLIP (``pt_multilingual_clip.py``).
    """
    stated = trunk_of(spec)
    _take(spec, folder, "config.json", *stated.weights)
    tensors = _all_tensors(spec)
    trunk = {n.removeprefix("transformer."): t for n, t in tensors.items() if n[0] == "t"}
    config = stated.config | {"architectures": [stated.architecture]}
    _write(folder / "config.json", config)
    _save(trunk, folder)
    linear = {
        f"linear.{part}": tensors[f"LinearTransformation.{part}"] for part in ("weight", "bias")
    }
    outputs, inputs = linear["linear.weight"].shape
    names = ("Transformer", "Pooling", "Dense")
    rows = [
        {"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "", "type": MODULES + name}
        for i, name in enumerate(names)
    ]
    _write(folder / "modules.json", rows)
    pooling = {"word_embedding_dimension": inputs, "pooling_mode_mean_tokens": True}
    _write(folder / "1_Pooling/config.json", pooling)
    dense = {"in_features": inputs, "out_features": outputs, "bias": True}
    plain = {"activation_function": "torch.nn.modules.linear.Identity"}
    _write(folder / "2_Dense/config.json", dense | plain)
    _save(linear, folder / "2_Dense")


def is_open_clip(spec: ModelSpec) -> bool:
    """Whether open_clip wrote a checkpoint."""
    return isinstance(spec.backbone, Backbone) and spec.backbone.weights == (WEIGHTS,)


def _write_open_clip(spec: ModelSpec, folder: Path) -> None:
    """CLIP of open_clip under the names of transformers."""
    _take(spec, folder, WEIGHTS, "config.json", "preprocessor_config.json")
    stated = read_object(Path(spec.folder), OPEN_CLIP) or {}
    tensors = as_clip(load_file(Path(spec.folder, WEIGHTS)))
    _write(folder / "config.json", clip_config(stated["model_cfg"]))
    _write(folder / "preprocessor_config.json", clip_processing(stated))
    _save(tensors, folder)


LAYOUTS: tuple[tuple[Callable[[ModelSpec], bool], Callable[[ModelSpec, Path], None]], ...] = (
    (_is_jina_colbert, _write_jina_colbert),
    (_is_mclip, _write_mclip),
    (is_open_clip, _write_open_clip),
    (_in_torch, _write_torch),
)


def _all_tensors(spec: ModelSpec) -> dict[str, Tensor]:
    files = [Path(spec.folder, name) for name in trunk_of(spec).weights]
    parts = [read_torch(f) if f.suffix in TORCH_SUFFIXES else load_file(f) for f in files]
    return {name: tensor for part in parts for name, tensor in part.items()}


def _take(spec: ModelSpec, folder: Path, *but: str) -> None:
    """Take over all files of a checkpoint but some."""
    root = Path(spec.folder).resolve()
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root)
        if file.is_file() and name.as_posix() not in but:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if file.stat().st_size > LARGE:
                (folder / name).symlink_to(file)
            else:
                shutil.copyfile(file, folder / name)


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), "utf-8")


def _save(tensors: Tensors, folder: Path) -> None:
    own = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(own, folder / "model.safetensors", metadata={"format": "pt"})
