"""Compile the ``.proto`` files under ``stelae.wire`` to the descriptors that are loaded.

    python tools/protos.py            needs grpcio-tools
    python tools/protos.py --check    says whether a file changed since; needs nothing

In each folder the descriptors stand beside a hash of the files that they were made of.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

WIRE = Path(__file__).resolve().parent.parent / "src" / "stelae" / "wire"
FOLDERS = (WIRE / "clip", WIRE / "rpc")


def sources(folder: Path) -> list[Path]:
    """The files to compile."""
    return sorted(folder.glob("*.proto"))


def fingerprint(folder: Path) -> str:
    """What the sources hash to."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources(folder))).hexdigest()


def is_current(folder: Path) -> bool:
    """Whether the descriptors were made of the sources as they are."""
    hash_file = folder / "messages.sha256"
    return hash_file.is_file() and hash_file.read_text().strip() == fingerprint(folder)


def compile_all(folder: Path) -> None:
    """Write the descriptors and the hash."""
    names = [path.name for path in sources(folder)]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports"]
    out = f"--descriptor_set_out={folder / 'messages.binpb'}"
    subprocess.run([*command, out, *names], check=True)
    (folder / "messages.sha256").write_text(fingerprint(folder) + "\n")


def main() -> int:
    """Compile, or check; 1 if the descriptors are stale."""
    stale = [folder for folder in FOLDERS if not is_current(folder)]
    if "--check" not in sys.argv[1:]:
        for folder in FOLDERS:
            compile_all(folder)
        return 0
    for folder in stale:
        print(f"{folder.name} is stale: run tools/protos.py where grpcio-tools is installed")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
