"""``stelae doctor``: one finding after another, each with what to do about it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from stelae.cli import machine
from stelae.cli.findings import Finding, Section, Status, show, summary
from stelae.cli.output import Output, size
from stelae.errors import StelaeError

DEFAULT_PORTS = (8080, 9997, 51000)
EXTRAS = ("cli", "server", "parquet")
NEEDED = "server"
"""The extra without which nothing is served."""

TORCH_PROBE = """
import json, sys, torch
from stelae.engines.base import Device, EngineOptions
from stelae.engines.runtime import device_of, dtype_of
from stelae.types import ComputeDtype

device = Device(sys.argv[2]) if sys.argv[2] else None
options = EngineOptions(dtype=ComputeDtype(sys.argv[1]), device=device)
device = device_of(options)
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.cuda.is_available(),
    "device": device.type,
    "dtype": dtype_of(options, device)[1],
}))
"""
"""Asked in a process of its own: torch takes seconds to import, and may not import at all."""


def run(model: str | None, config: Path | None, out: Output) -> bool:
    """Look at everything and print what was found.

    Returns:
        Whether nothing is missing that serving needs.
    """
    findings = [*hardware(), *packages(), *path(model, config), *surroundings(config)]
    good = all(finding.status is not Status.MISSING for finding in findings)
    if out.json:
        out.document({"ok": good, "findings": [msgspec.to_builtins(f) for f in findings]})
        return good
    bad = [f for f in findings if f.status in {Status.WARNING, Status.MISSING}]
    show(bad if out.quiet else findings, out)
    if not out.quiet:
        out.line(summary(good, bad))
    return good


def hardware() -> Iterator[Finding]:
    """Processor, memory and GPUs."""
    here = Section("Machine")
    cpu = machine.processor()
    granted = f", {cpu.quota:g} granted to this container" if cpu.quota else ""
    yield here.ok("processor", f"{cpu.name}; {cpu.cores} cores{granted}")
    if cpu.instructions:
        yield here.ok("instructions", ", ".join(cpu.instructions))
    else:
        yield here.note("instructions", "none of the fast ones is known here")
    total, available = machine.memory_here()
    yield (
        here.ok("memory", f"{size(total)}, {size(available)} free")
        if total
        else here.note("memory", "not known on this system")
    )
    gpus = machine.gpus()
    for gpu in gpus:
        yield here.ok("gpu", f"{gpu.name}, {gpu.memory_mib} MiB, driver {gpu.driver}")
    if not gpus:
        yield here.note("gpu", "no CUDA device (nvidia-smi lists none)")


def packages() -> Iterator[Finding]:
    """Which extras are whole, and the command that completes the others."""
    here = Section("Packages")
    yield here.ok("python", str(machine.versions()["python"]))
    for extra in EXTRAS:
        wanted = machine.requirements(extra)
        lacking = [name for name in wanted if machine.installed(name) is None]
        add = f"pip install 'stelae[{extra}]'"
        if not wanted:
            yield here.warning(extra, "what this extra needs is not recorded here", add)
        elif not lacking:
            yield here.ok(f"stelae[{extra}]", "complete")
        elif extra == NEEDED:
            yield here.missing(f"stelae[{extra}]", f"lacks {', '.join(lacking)}", add)
        else:
            yield here.note(f"stelae[{extra}]", f"lacks {', '.join(lacking)}", add)


def path(model: str | None, config: Path | None) -> Iterator[Finding]:
    """The model, its engine, the device and the number format it gets here."""
    here = Section("Path")
    add = "pip install 'stelae[server]'"
    needed = ("torch", "starlette", "pydantic_settings", "tokenizers")
    lacking = [name for name in needed if find_spec(name) is None]
    if lacking:
        yield here.missing("model", f"nothing is served without {', '.join(lacking)}", add)
        return
    from stelae.cli import fetching
    from stelae.config import load_settings

    try:
        settings = load_settings(config)
        catalog = fetching.catalog_of(config)
        entry = catalog.register_argument(model) if model else catalog.entry("default")
        spec, choice = fetching.read(catalog, entry, Output(quiet=True))
    except StelaeError as error:
        yield here.missing(f"model {model or 'embedded'}", error.message, error.hint)
        return
    wanted = entry.dtype if entry.dtype != "auto" else settings.dtype
    yield here.ok("model", f"{spec.name} in {spec.folder}")
    yield here.ok("engine", f"{choice.manifest.name}, {choice.reason}")
    yield from computing(wanted.value, settings.device)


def computing(dtype: str, device: str | None) -> Iterator[Finding]:
    """What torch computes on and in, asked in a process of its own."""
    here = Section("Path")
    try:
        answer = subprocess.run(
            [sys.executable, "-c", TORCH_PROBE, dtype, device or ""],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        facts = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        yield here.missing("torch", f"does not work: {lines[-1]}", "install torch again")
        return
    if machine.gpus() and not facts["cuda"]:
        yield here.warning(
            "torch",
            f"{facts['version']} does not see the GPU; models run on the CPU",
            "install the build of torch that fits the driver",
        )
    else:
        yield here.ok("torch", facts["version"])
    yield here.ok("device", facts["device"])
    yield here.ok("dtype", facts["dtype"])


def surroundings(config: Path | None) -> Iterator[Finding]:
    """Ports, the hub's cache and places to write."""
    here = Section("Around")
    for port in DEFAULT_PORTS:
        if machine.port_free(port):
            yield here.ok(f"port {port}", "free")
        else:
            yield here.warning(
                f"port {port}",
                "taken; 'stelae serve' leaves it out",
                "another address: stelae serve --listen http://127.0.0.1:0",
            )
    yield from _hub(here, config)
    temporary = Path(tempfile.gettempdir())
    if machine.writable(temporary):
        yield here.ok("temporary files", f"{temporary} can be written")
    else:
        yield here.missing(
            "temporary files", f"{temporary} cannot be written", "set TMPDIR to a folder of yours"
        )


def _hub(here: Section, config: Path | None) -> Iterator[Finding]:
    if any(find_spec(name) is None for name in ("huggingface_hub", "pydantic_settings")):
        return
    from huggingface_hub import constants

    from stelae.config import load_settings

    try:
        hub = load_settings(config).hub
    except StelaeError as error:
        yield here.missing("settings", error.message, error.hint)
        return
    cache = Path(hub.cache or constants.HF_HUB_CACHE)
    held = sum(1 for _ in cache.glob("models--*"))
    if machine.writable(cache):
        yield here.ok("hub cache", f"{cache}, {held} models")
    else:
        yield here.warning(
            "hub cache",
            f"{cache} cannot be written: only models that are in it can be served",
            "choose another with STELAE_HUB__CACHE",
        )
    offline = hub.offline or constants.HF_HUB_OFFLINE
    yield here.note("hub", "offline: only the cache is used" if offline else "may be asked")
