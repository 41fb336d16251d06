"""clip-server, or a Jina flow that does nothing, on one port; runs in the peer's environment.

    python clip_peer.py weights FILE.pt            random ViT-B/32 weights
    python clip_peer.py serve PORT FILE.pt         clip-server with them, over gRPC
    python clip_peer.py null PORT PROTOCOL         a flow whose executor returns what it gets

clip-server wants torchvision, whose wheels for this PyTorch need CUDA; only its transforms of
Pillow images are used, so the names of its compiled operators are declared and never called.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import torch
from torch import library

NAME = "ViT-B-32::laion2b_e16"
WIDTH = 384


def declare() -> None:
    """Make torchvision importable without its compiled part."""
    text = (Path(sysconfig.get_path("purelib")) / "torchvision/_meta_registrations.py").read_text()
    names = set(re.findall(r'register_\w+\("(?:torchvision::)?(\w+)"', text)) | {"nms", "qnms"}
    declare.operators = library.Library("torchvision", "DEF")  # kept alive
    for name in sorted(names):
        declare.operators.define(f"{name}(Tensor x) -> Tensor")


def weights(file: str) -> None:
    """Write random weights as open_clip keeps them."""
    declare()
    from clip_server.model.model import _MODEL_CONFIGS, CLIP

    torch.manual_seed(0)
    torch.save(CLIP(**_MODEL_CONFIGS["ViT-B-32"]).state_dict(), file)


def serve(port: str, file: str) -> None:
    """Run clip-server until it is stopped."""
    declare()
    from clip_server.model import pretrained_models as known

    known_as, _ = known._OPENCLIP_MODELS[NAME]
    home = Path("~/.cache/clip").expanduser()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, home / known_as)
    digest = hashlib.md5(Path(file).read_bytes()).hexdigest()
    known._OPENCLIP_MODELS[NAME] = (known_as, digest)
    from clip_server.executors.clip_torch import CLIPEncoder
    from jina import Flow

    flow = Flow(port=int(port), host="127.0.0.1").add(
        name="clip_t", uses=CLIPEncoder, uses_with={"name": NAME, "device": "cpu"}
    )
    with flow:
        flow.block()


if "null" in sys.argv:
    import numpy as np
    from jina import DocumentArray, Executor, requests

    class Idle(Executor):
        """Gives every document the same vector; its process looks for it in this module."""

        @requests
        def encode(self, docs: DocumentArray, **_):
            """Fill the documents."""
            for doc in docs:
                doc.embedding = np.ones(WIDTH, np.float32)


def null(port: str, protocol: str) -> None:
    """Run a flow whose executor gives every document the same vector."""
    from jina import Flow

    with Flow(port=int(port), host="127.0.0.1", protocol=protocol).add(uses=Idle) as flow:
        flow.block()


if __name__ == "__main__":
    {"weights": weights, "serve": serve, "null": null}[sys.argv[1]](*sys.argv[2:])
