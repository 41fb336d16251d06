"""Compile the ``.proto`` files of ``stelae.wire.clip`` to the descriptors that it loads.

    python tools/protos.py            needs grpcio-tools
    python tools/protos.py --check    says whether a file changed since; needs nothing

Beside the descriptors stands a hash of the files that they were made of.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "src" / "stelae" / "wire" / "clip"
COMPILED = FOLDER / "messages.binpb"
HASH = FOLDER / "messages.sha256"


def sources() -> list[Path]:
    """The files to compile."""
    return sorted(FOLDER.glob("*.proto"))


def fingerprint() -> str:
    """What the sources hash to."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources())).hexdigest()


def is_current() -> bool:
    """Whether the descriptors were made of the sources as they are."""
    return COMPILED.is_file() and HASH.read_text().strip() == fingerprint()


def compile_all() -> None:
    """Write the descriptors and the hash."""
    names = [path.name for path in sources()]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", "--include_imports"]
    subprocess.run([*command, f"--descriptor_set_out={COMPILED}", *names], check=True)
    HASH.write_text(fingerprint() + "\n")


def main() -> int:
    """Compile, or check; 1 if the descriptors are stale."""
    if "--check" not in sys.argv[1:]:
        compile_all()
    elif not is_current():
        print(f"{COMPILED.name} is stale: run tools/protos.py where grpcio-tools is installed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
