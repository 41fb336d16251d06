"""``stelae chat``: messages in, answers out as they are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stelae.cli import talking
from stelae.cli.app import app
from stelae.cli.output import Output
from stelae.client import Reply
from stelae.types import Delta, Message

FAST = ["--local", "--max-tokens", "6", "--temperature", "0"]


@pytest.fixture
def chat(zoo: Path) -> Callable[..., Result]:
    def run(*arguments: str, typed: str | None = None) -> Result:
        command = ["chat", str(zoo / "llama-chat"), *FAST, *arguments]
        return CliRunner().invoke(app, command, input=typed)

    return run


def test_answer_is_printed_and_its_speed_told_beside(chat: Callable[..., Result]) -> None:
    made = chat("the sea")
    assert made.exit_code == 0
    assert made.stdout.strip()
    assert "(6 tokens, first after" in made.stderr
    piped = chat(typed="the sea\n")
    assert piped.stdout == made.stdout
    told = json.loads(chat("the sea", "--json").stdout)
    assert told["texts"] == [made.stdout.removesuffix("\n")]
    assert told["usage"]["completion_tokens"] == 6


def test_nothing_to_say_is_refused(chat: Callable[..., Result]) -> None:
    made = chat(typed="")
    assert made.exit_code == 1
    assert "nothing to say" in made.stderr


def test_conversation_goes_on_over_lines(
    zoo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = iter(
        ["first \\", "of two", "", "/clear", "again", "/system be brief", '"""three', 'lines"""']
    )

    def typed(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    asked: list[list[str]] = []
    own = talking.Talk._answer

    def answer(talk: talking.Talk, told: list[Message]) -> Reply:
        asked.append([message.text for message in told])
        return own(talk, told)

    monkeypatch.setattr(talking.Talk, "_answer", answer)
    request = talking.Request(
        model=str(zoo / "llama-chat"),
        message=None,
        system="be kind",
        options={"max_tokens": 2, "temperature": 0.0},
        server=None,
        key=None,
        local=True,
    )
    talking.run(request, Output())
    assert asked == [
        ["be kind", "first \nof two"],
        ["be kind", "again"],
        ["be brief", "again", asked[2][2], "three\nlines"],
    ]
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_signs_that_terminals_obey_are_shown_and_not_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = talking.Shown(thoughts=True)
    shown.add(Delta(reasoning="[bold]\x1b]0;title\x07 well"))
    shown.add(Delta(text="a\x1b[2J\x9bb\tc\nd\r"))
    said = capsys.readouterr().out
    assert "[bold]" in said
    assert "\x1b]0" not in said
    assert said.endswith("a\ufffd[2J\ufffdb\tc\nd\ufffd")
