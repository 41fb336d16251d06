"""What a server says about a model."""

from __future__ import annotations

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import Modality, ModelState, OutputType, Similarity, Task
from stelae.types.profile import Profile


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the server knows it.

    Attributes:
        name: The name it is served under.
        aliases: Other names that reach it.
        source: ``embedded``, a folder, or a hub id with its revision.
        tasks: What it can be asked to do.
        inputs: What it reads.
        outputs: Kinds of representation it makes.
        architecture: Class name in the checkpoint's ``config.json``.
        dimensions: Width of its dense vectors; 0 if it makes none.
        token_dimensions: Width of its token vectors; 0 if it gives none out.
        labels: Names of its scores, if it gives several to each pair.
        instructions: Whether it was trained to follow instructions.
        abilities: What a model that writes can do beside: ``tools``, ``thinking``; ``ocr`` of one
            that writes down what pictures say.
        languages: Codes of the languages that it hears or reads aloud, if it says.
        voices: Voices that it reads aloud with, the first unless another is asked for.
        matryoshka: Widths it was trained to be cut to; empty if not trained for it.
        max_tokens: Longest input it reads, special tokens included.
        prompts: Prompts by name, from the checkpoint.
        default_prompt: The prompt used when none is asked for.
        similarity: How its vectors are meant to be compared.
        normalized: Whether its vectors have unit length.
        loras: Adapters that it can be asked with, by name.
        profiles: Its named sets of options; asked for as ``model:profile``.
        state: Where it stands between known and served.
        engine: Engine that serves it (or would).
        reason: Why that engine.
        dtype: Number format it computes in, once loaded.
        device: Where it runs, once loaded.
        fingerprint: Identifies what is served, once loaded.
        notes: Choices made while loading and why, once loaded.
        memory_bytes: Resident memory of its worker, once loaded.
        pid: Process that runs it, once loaded.
        in_flight: Calls taken and not yet answered.
        restarts: How often its worker was replaced.
        error: Why it could not be loaded.
    """

    name: str
    source: str
    aliases: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.ENCODE,)
    inputs: tuple[Modality, ...] = (Modality.TEXT,)
    outputs: tuple[OutputType, ...] = (OutputType.DENSE,)
    architecture: str = ""
    dimensions: int = 0
    token_dimensions: int = 0
    labels: tuple[str, ...] = ()
    instructions: bool = False
    abilities: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    matryoshka: tuple[int, ...] = ()
    max_tokens: int = 0
    prompts: dict[str, str] = {}
    default_prompt: str | None = None
    similarity: Similarity | None = None
    normalized: bool = False
    loras: tuple[str, ...] = ()
    profiles: dict[str, Profile] = {}
    state: ModelState = ModelState.AVAILABLE
    engine: str = ""
    reason: str = ""
    dtype: str = ""
    device: str = ""
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    memory_bytes: int = 0
    pid: int | None = None
    in_flight: int = 0
    restarts: int = 0
    error: ErrorInfo | None = None
