"""``stelae chat`` in a terminal, typed as people type."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import fix_told
import pytest
import pytest_asyncio
from fix_told import HEARD, heard, told
from live import Live, live
from terminal import CTRL_C, CTRL_D, UP, Terminal, terminal

from stelae.types import Delta

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

STELAE = str(Path(sys.executable).with_name("stelae"))
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        async with live(models={"told": fix_told.settings(zoo / "qwen3-chat")}) as made:
            await made.house.fleet.load("told")
            yield made


async def talked(server: Live, state: Path, play: Callable[[Terminal], None]) -> None:
    """Play a scene; the program leaves at its end."""

    def work() -> None:
        command = [STELAE, "chat", "told", "--server", server.url]
        with terminal(command, XDG_STATE_HOME=str(state), NO_COLOR="") as screen:
            screen.wait_for("/help")
            screen.wait_for(">>> ")
            play(screen)

    await asyncio.to_thread(work)


def said() -> list[list[str]]:
    """The texts of each conversation that the model heard."""
    return [[message.text for message in call.messages] for call in heard()]


async def test_conversation_has_lines_commands_and_a_history(server: Live, tmp_path: Path) -> None:
    def first(screen: Terminal) -> None:
        screen.type("one two three\r")
        screen.wait_for("\r\none two three")
        assert "tokens, first after" in screen.wait_for(">>> ")
        screen.type("four \\\r")
        screen.wait_for("... ")
        screen.type("five\r")
        screen.wait_for("\r\nfour")
        screen.wait_for(">>> ")
        screen.type('"""six\r')
        screen.wait_for("... ")
        screen.type('seven"""\r')
        screen.wait_for(">>> ")
        screen.type("/system be brief\r")
        screen.wait_for(">>> ")
        screen.type("/sistem\r")
        screen.wait_for("/sistem is no command")
        screen.wait_for(">>> ")
        screen.type("half a line")
        screen.wait_for("half a line")
        screen.press_until(CTRL_C, ">>> ")
        screen.type("/clear\r")
        screen.wait_for(">>> ")
        screen.type("eight\r")
        screen.wait_for("\r\neight")
        screen.wait_for(">>> ")
        screen.type("/exit\r")

    def second(screen: Terminal) -> None:
        screen.type(f"{UP}{UP}\r")
        screen.wait_for("\r\neight")
        screen.wait_for(">>> ")
        screen.type(CTRL_D)

    HEARD.clear()
    await talked(server, tmp_path, first)
    texts = said()
    assert texts[1] == ["one two three", "one two three", "four \nfive"]
    assert texts[2][-1] == "six\nseven"
    assert texts[3] == ["be brief", "eight"]
    await talked(server, tmp_path, second)
    assert said()[-1] == ["eight"]
    kept = tmp_path / "stelae" / "chat_history"
    assert kept.stat().st_mode & 0o077 == 0


async def test_thought_is_dim_and_a_failure_ends_no_talk(server: Live, tmp_path: Path) -> None:
    def play(screen: Terminal) -> None:
        screen.type(told(Delta(reasoning="so then"), Delta(text="yes")) + "\r")
        screen.wait_for(f"{DIM}so then{PLAIN}")
        assert "yes" in screen.wait_for("tokens, first after")
        screen.wait_for(">>> ")
        screen.type("!fail\r")
        screen.wait_for("told to fail")
        screen.wait_for(">>> ")
        screen.type("!more\r")
        screen.wait_for("more more")
        screen.type(CTRL_C)
        screen.wait_for("(stopped)")
        screen.wait_for(">>> ")
        screen.type("still here\r")
        screen.wait_for("\r\nstill here")
        screen.wait_for(">>> ")
        screen.type("/exit\r")

    await talked(server, tmp_path, play)
    *before, last = said()[-1]
    assert before[-2] == "!more"
    assert before[-1].startswith("!more more")
    assert last == "still here"
