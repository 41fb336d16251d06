"""``stelae doctor``: one finding after another, each with what to do about it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from stelae.cli import machine
from stelae.cli.output import Output, size

DEFAULT_PORTS = (8080, 9997)
EXTRAS = ("cli", "server", "parquet")
NEEDED = "server"
"""The extra without which nothing is served."""

TORCH_PROBE = """
import json, torch
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.cuda.is_available(),
    "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    "threads": torch.get_num_threads(),
}))
"""


class Status(StrEnum):
    """What a finding means."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    MISSING = "missing"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at.

    Attributes:
        section: Heading it stands under.
        name: What was looked at.
        status: What it means; ``missing`` is what serving cannot do without.
        found: What is there.
        hint: What to do about it.
    """

    section: str
    name: str
    status: Status
    found: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Makes findings under one heading."""

    name: str

    def ok(self, name: str, found: str) -> Finding:
        """As it should be."""
        return Finding(section=self.name, name=name, status=Status.OK, found=found)

    def note(self, name: str, found: str, hint: str | None = None) -> Finding:
        """Good to know, nothing to do."""
        return Finding(section=self.name, name=name, status=Status.NOTE, found=found, hint=hint)

    def warning(self, name: str, found: str, hint: str | None = None) -> Finding:
        """It works, but not as well as it could."""
        return Finding(section=self.name, name=name, status=Status.WARNING, found=found, hint=hint)

    def missing(self, name: str, found: str, hint: str | None = None) -> Finding:
        """Serving does not work without it."""
        return Finding(section=self.name, name=name, status=Status.MISSING, found=found, hint=hint)


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


def show(findings: Iterable[Finding], out: Output) -> None:
    """Print findings under their headings, hints below what they are for."""
    rows: list[tuple[Any, ...]] = []
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            rows.append((Text(section, style="bold"), "", ""))
        rows.append((f"  {finding.name}", finding.status.value, finding.found))
        if finding.hint:
            rows.append(("", "", Text(f"→ {finding.hint}", style="cyan")))
    out.grid(rows)


def summary(good: bool, bad: list[Finding]) -> str:
    """The last line."""
    if not good:
        return "Something is missing that serving needs; see the arrows above."
    return f"Ready to serve, with {len(bad)} to look at." if bad else "Ready to serve."


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
            yield here.ok(f"stelae[{extra}]", f"all {len(wanted)} packages are there")
        elif extra == NEEDED:
            yield here.missing(f"stelae[{extra}]", f"lacks {', '.join(lacking)}", add)
        else:
            yield here.note(f"stelae[{extra}]", f"lacks {', '.join(lacking)}", add)


def path(model: str | None, config: Path | None) -> Iterator[Finding]:
    """Torch, and the engine and number format that a model gets here."""
    here = Section("Path")
    if machine.installed("torch") is None:
        yield here.missing("torch", "not installed", "pip install 'stelae[server]'")
        return
    yield _torch(here)
    if any(find_spec(name) is None for name in ("starlette", "pydantic_settings", "tokenizers")):
        return
    yield from _model(here, model, config)


def _torch(here: Section) -> Finding:
    try:
        answer = subprocess.run(
            [sys.executable, "-c", TORCH_PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        facts = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return here.missing("torch", f"cannot be imported: {lines[-1]}", "install it again")
    where = ", ".join(facts["devices"]) if facts["cuda"] else f"{facts['threads']} CPU threads"
    if machine.gpus() and not facts["cuda"]:
        return here.warning(
            "torch",
            f"{facts['version']} does not see the GPU; models run on the CPU",
            "install the build of torch that fits the driver",
        )
    return here.ok("torch", f"{facts['version']}, {where}")


def _model(here: Section, model: str | None, config: Path | None) -> Iterator[Finding]:
    from stelae.cli import fetching
    from stelae.config import load_settings
    from stelae.errors import StelaeError

    try:
        catalog = fetching.catalog_of(config)
        entry = catalog.register_argument(model) if model else catalog.entry("default")
        spec, choice = fetching.read(catalog, entry, Output(quiet=True))
        settings = load_settings(config)
    except StelaeError as error:
        yield here.missing(f"model {model or 'embedded'}", error.message, error.hint)
        return
    yield here.ok("model", f"{spec.name} in {spec.folder}")
    yield here.ok("engine", f"{choice.manifest.name}, {choice.reason}")
    yield here.ok("dtype", dtype(entry.dtype or settings.dtype))


def dtype(wanted: str) -> str:
    """The number format that ``auto`` means here, and why."""
    from stelae.engines.hardware import bfloat16_feature

    if wanted != "auto":
        return f"{wanted}, as configured"
    if machine.gpus():
        return "auto: the device decides when the model is loaded"
    feature = bfloat16_feature()
    if feature is None:
        return "auto means float32: this processor has no bfloat16 instructions"
    return f"auto means bfloat16: this processor has {feature}; --dtype float32 is exact"


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
    from stelae.errors import StelaeError

    try:
        hub = load_settings(config).hub
    except StelaeError as error:
        yield here.missing("settings", error.message, error.hint)
        return
    cache = Path(hub.cache or constants.HF_HUB_CACHE)
    held = (
        f"{sum(1 for _ in cache.glob('models--*'))} models" if cache.is_dir() else "not there yet"
    )
    if machine.writable(cache):
        yield here.ok("hub cache", f"{cache}, {held} checkpoints")
    else:
        yield here.warning(
            "hub cache",
            f"{cache} cannot be written: only models that are in it can be served",
            "choose another with STELAE_HUB__CACHE",
        )
    offline = hub.offline or constants.HF_HUB_OFFLINE
    yield here.note("hub", "offline: only the cache is used" if offline else "may be asked")
