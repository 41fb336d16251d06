"""Facts about this machine, read without importing anything heavy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from stelae.version import __version__

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX512-BF16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX-BF16",
    "asimd": "NEON",
    "bf16": "BF16",
    "sve": "SVE",
}
"""Flags of ``/proc/cpuinfo`` that decide how fast a model runs, and their names."""


def installed(package: str) -> str | None:
    """Version of an installed package, or ``None``; the package is not imported."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Versions of what runs here, by name."""
    return {
        "stelae": __version__,
        "python": platform.python_version(),
        "torch": installed("torch"),
        "platform": platform.platform(),
    }


@dataclass(frozen=True, slots=True)
class Processor:
    """What computes.

    Attributes:
        name: As its maker calls it.
        cores: Cores that this process may use, as far as the scheduler says.
        quota: Cores that the container grants, if it limits them.
        instructions: Those of ``INSTRUCTIONS`` that it has.
    """

    name: str
    cores: int
    quota: float | None
    instructions: tuple[str, ...]


def read(path: Path) -> str:
    """Text of a file of the kernel, empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def instructions(cpu_info: str) -> tuple[str, ...]:
    """Instruction sets named in the text of ``/proc/cpuinfo``."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpu_info, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    return tuple(name for flag, name in INSTRUCTIONS.items() if flag in flags)


def quota(cpu_max: str) -> float | None:
    """Cores granted by the text of a ``cpu.max`` (``"max 100000"``: no limit)."""
    parts = cpu_max.split()
    if len(parts) != 2 or not parts[0].isdigit():
        return None
    return int(parts[0]) / int(parts[1])


def processor() -> Processor:
    """The processor of this machine, as this process may use it."""
    text = read(CPU_INFO)
    named = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    usable = getattr(os, "sched_getaffinity", None)
    return Processor(
        name=named.group(1) if named else platform.processor() or platform.machine(),
        cores=len(usable(0)) if usable else os.cpu_count() or 1,
        quota=quota(read(CGROUP / "cpu.max")),
        instructions=instructions(text),
    )


def memory(memory_info: str, limit: str = "") -> tuple[int, int]:
    """Total and available bytes.

    Args:
        memory_info: Text of ``/proc/meminfo``.
        limit: Text of a container's ``memory.max``, which may be ``max``.
    """
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", memory_info, re.MULTILINE))
    total = int(sizes.get("MemTotal", 0)) * 1024
    available = int(sizes.get("MemAvailable", 0)) * 1024
    if limit.strip().isdigit():
        total, available = min(total, int(limit)), min(available, int(limit))
    return total, available


def memory_here() -> tuple[int, int]:
    """Total and available bytes of memory of this machine or container."""
    return memory(read(MEMORY_INFO), read(CGROUP / "memory.max"))


@dataclass(frozen=True, slots=True)
class Gpu:
    """A CUDA device, as ``nvidia-smi`` describes it; memory is in MiB."""

    name: str
    memory_mib: int
    driver: str


def gpus() -> list[Gpu]:
    """The CUDA devices that ``nvidia-smi`` lists; none where it is missing or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    wanted = "--query-gpu=name,memory.total,driver_version"
    try:
        answer = subprocess.run(
            [program, wanted, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in answer.stdout.splitlines() if (gpu := parse_gpu(line)) is not None]


def parse_gpu(line: str) -> Gpu | None:
    """One line of ``nvidia-smi``'s CSV, or ``None`` if it is no device."""
    parts = [part.strip() for part in line.rsplit(",", 2)]
    if len(parts) != 3 or not parts[1].isdigit():
        return None
    return Gpu(parts[0], int(parts[1]), parts[2])


def requirements(extra: str) -> list[str]:
    """Names of the packages that an extra of stelae installs, those of its own extras too."""
    try:
        lines = metadata.requires("stelae") or []
    except metadata.PackageNotFoundError:
        return []
    names: list[str] = []
    for line in lines:
        if not re.search(rf"""extra == ['"]{extra}['"]""", line):
            continue
        inner = re.match(r"stelae\[([\w,\s-]+)\]", line)
        if inner:
            for other in inner.group(1).split(","):
                names.extend(requirements(other.strip()))
        else:
            names.append(re.split(r"[^\w.-]", line, maxsplit=1)[0])
    return names


def port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def writable(folder: Path) -> bool:
    """Whether a file could be made in the folder, or the folder be made."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
