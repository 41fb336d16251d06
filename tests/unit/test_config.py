from __future__ import annotations

import json
from pathlib import Path

import pytest

from stelae.config import Settings, load_settings, schema
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STELAE_LISTEN", "STELAE_DTYPE", "STELAE_API_KEYS", "STELAE_LIMITS__BODY_BYTES"):
        monkeypatch.delenv(name, raising=False)


def file_with(folder: Path, text: str, name: str = "stelae.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_hold_without_any_source() -> None:
    settings = load_settings()
    assert settings.dtype is ComputeDtype.AUTO
    assert settings.listen is None
    assert settings.limits.body_bytes == 64 * 1024 * 1024
    assert settings.api_keys == ()


def test_file_is_over_the_default(tmp_path: Path) -> None:
    settings = load_settings(file_with(tmp_path, 'dtype = "float32"'))
    assert settings.dtype is ComputeDtype.FLOAT32


def test_variable_is_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_DTYPE", "bfloat16")
    settings = load_settings(file_with(tmp_path, 'dtype = "float32"'))
    assert settings.dtype is ComputeDtype.BFLOAT16


def test_flag_is_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_DTYPE", "bfloat16")
    assert load_settings(dtype="float32").dtype is ComputeDtype.FLOAT32


def test_flag_that_was_not_given_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_DTYPE", "bfloat16")
    assert load_settings(dtype=None).dtype is ComputeDtype.BFLOAT16


def test_groups_are_merged_setting_by_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_with(tmp_path, "[limits]\nbody_bytes = '2 MiB'\nqueue_tokens = 7")
    monkeypatch.setenv("STELAE_LIMITS__BODY_BYTES", "4 MiB")
    limits = load_settings(file, limits={"drain_seconds": 3}).limits
    assert (limits.body_bytes, limits.queue_tokens, limits.drain_seconds) == (4 * 1024**2, 7, 3)


@pytest.mark.parametrize(
    "text", ["http://a:1,http://b:2", " http://a:1 , http://b:2 ", '["http://a:1", "http://b:2"]']
)
def test_list_in_a_variable_is_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_LISTEN", text)
    assert load_settings().listen == ("http://a:1", "http://b:2")


@pytest.mark.parametrize("name", ["stelae.yaml", "stelae.yml"])
def test_yaml_is_read_like_toml(name: str, tmp_path: Path) -> None:
    text = "models:\n  mine:\n    source: /data/mine\n    aliases: [m]\n"
    model = load_settings(file_with(tmp_path, text, name)).models["mine"]
    assert (model.source, model.aliases) == ("/data/mine", ("m",))


def test_empty_yaml_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_settings(file_with(tmp_path, "# nothing\n", "a.yaml")) == load_settings()


@pytest.mark.parametrize(
    ("text", "param", "hint"),
    [
        ("dtpye = 'float32'", "dtpye", "did you mean 'dtype'?"),
        ("[limits]\nbody_byte = 2048", "limits.body_byte", "did you mean 'body_bytes'?"),
        ("[models.a]\nsuorce = 'x'", "models.a.suorce", "did you mean 'source'?"),
        (
            "[models.a.profiles.b]\noutput = ['dense']",
            "models.a.profiles.b.output",
            "did you mean 'outputs'?",
        ),
        (
            "[models.a.profiles.b.muvera]\nprojection = 2",
            "models.a.profiles.b.muvera.projection",
            "did you mean 'projections'?",
        ),
        ("xyzzy = 1", "xyzzy", "see 'stelae config schema' for all settings"),
    ],
)
def test_unknown_setting_is_refused_with_the_nearest_name(
    text: str, param: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(file_with(tmp_path, text))
    assert (caught.value.param, caught.value.hint) == (param, hint)


def test_value_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"setting 'limits.queue_tokens'.*greater than or equal"):
        load_settings(file_with(tmp_path, "[limits]\nqueue_tokens = 0"))


def test_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_DTPYE", "float32")
    with pytest.raises(InvalidInput, match="did you mean STELAE_DTYPE"):
        load_settings()


@pytest.mark.parametrize("name", ["STELAE_SERVICE_HOST", "STELAE_PORT", "STELAE_PORT_8080_TCP"])
def test_variables_of_an_orchestrator_are_left_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8080")
    assert load_settings().dtype is ComputeDtype.AUTO


@pytest.mark.parametrize(
    ("text", "name"),
    [("a = = 1", "a.toml"), ("a: [", "a.yaml"), ("- 1", "a.yaml"), ("{}", "a.json")],
)
def test_file_that_cannot_be_read_is_refused(text: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="configuration file"):
        load_settings(file_with(tmp_path, text, name))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        load_settings(tmp_path / "none.toml")


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_settings(file_with(tmp_path, "a: !!python/object/apply:os.getpid []", "a.yaml"))


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_API_KEYS", "planted-canary-1,planted-canary-2")
    settings = load_settings(hub={"token": "planted-canary-3"})
    assert settings.api_keys[1].get_secret_value() == "planted-canary-2"
    assert "planted-canary" not in repr(settings) + settings.model_dump_json()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().preload = True  # type: ignore[misc]


def test_every_setting_of_the_schema_is_described() -> None:
    found = schema()
    groups = [found, *(d for d in found["$defs"].values() if "properties" in d)]

    def described(field: dict[str, str]) -> bool:
        named = field.get("$ref", "").rpartition("/")[2]
        return bool(field.get("description") or found["$defs"].get(named, {}).get("description"))

    fields = [(name, field) for g in groups for name, field in g["properties"].items()]
    assert [name for name, field in fields if not described(field)] == []
    assert json.dumps(found)


@pytest.mark.parametrize("name", ["STELAE_LOG", "STELAE_LISTEN", "STELAE_LIMITS__CALLS"])
def test_an_empty_variable_says_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_settings()
    monkeypatch.setenv(name, "")
    assert load_settings() == expected
