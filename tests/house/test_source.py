"""What no file of the repository may hold, and what each must."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from repo import ROOT, SOURCE, files, modules, name

from stelae import errors
from stelae.errors import BY_CODE, StelaeError

BANNED_MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
BANNED_NAMES = {"__import__", "compile", "eval", "exec"}
BANNED_CALLS = {"os.popen", "os.system", "torch.load", "yaml.load", "yaml.unsafe_load"}
BANNED_ARGUMENTS = {"allow_pickle": True, "shell": True, "trust_remote_code": True}

# Put together here, so that this file does not hold them.
MACHINES = re.compile(r"(?<![\w.])/" + r"(?:root|home|work|Users|mnt|opt/[a-z])/[\w.-]+")
REGISTRIES = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "index" + "-url")))


def faults(tree: ast.Module) -> Iterator[str]:
    """Everything in a module that could run code of somebody else."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (a.name for a in names if a.name.partition(".")[0] in BANNED_MODULES)
            case ast.ImportFrom(module=str(module)):
                yield from [module] if module.partition(".")[0] in BANNED_MODULES else []
            case ast.Name(id=word) if word in BANNED_NAMES:
                yield word
            case ast.Attribute() if ast.unparse(node) in BANNED_CALLS:
                yield ast.unparse(node)
            case ast.keyword(arg=str(arg), value=ast.Constant(value=value)):
                yield from [arg] if BANNED_ARGUMENTS.get(arg) is value and value else []


def test_no_banned_function_in_the_package() -> None:
    found = [f"{name(file)}: {fault}" for file, tree in modules() for fault in faults(tree)]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "torch.load(path)",
        "yaml.load(text, Loader)",
        "load(name, trust_remote_code=True)",
        "np.load(file, allow_pickle=True)",
    ],
)
def test_banned_functions_are_found(code: str) -> None:
    assert list(faults(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["model.eval()", "yaml.safe_load(text)", "load(name, trust_remote_code=False)"]
)
def test_harmless_ones_are_not(code: str) -> None:
    assert list(faults(ast.parse(code))) == []


@pytest.mark.parametrize("pattern", [MACHINES, REGISTRIES], ids=["paths", "registries"])
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name(file)}: {match[0]}"
        for file in files()
        for match in pattern.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    folders = (SOURCE, ROOT / "tools", ROOT / "benchmarks", ROOT / "examples")
    silent = [name(file) for file, tree in modules(*folders) if not ast.get_docstring(tree)]
    assert silent == []


def test_every_error_is_named_outside_its_own_file() -> None:
    text = "".join(
        file.read_text(encoding="utf-8")
        for file in SOURCE.rglob("*.py")
        if file != SOURCE / "errors.py"
    )
    unused = [kind.__name__ for kind in BY_CODE.values() if kind.__name__ not in text]
    assert unused == []


def test_drawing_of_errors_shows_each_with_its_status() -> None:
    drawn = f" {errors.__doc__} "
    below = [kind for kind in BY_CODE.values() if kind is not StelaeError]
    assert [k.__name__ for k in below if f" {k.__name__} {k.status} " not in drawn] == []


def test_errors_have_codes_of_their_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len([k for k in kinds if issubclass(k, StelaeError)]) == len(BY_CODE)


def test_news_fragments_are_well_named() -> None:
    for file in (ROOT / "changes").iterdir():
        if file.name == "template.md.jinja":
            continue
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", file.name), file.name
        text = file.read_text(encoding="utf-8")
        assert text.strip(), file.name
        assert not text.startswith(("#", "-")), f"{file.name}: a fragment is a sentence"


def test_architectures_are_one_file_each() -> None:
    arch = SOURCE / "nn" / "arch"
    assert [path for path in arch.iterdir() if _is_package(path)] == []


def _is_package(path: Path) -> bool:
    return path.is_dir() and (path / "__init__.py").exists()
