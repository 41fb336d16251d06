"""Files that commands make."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from stelae.cli.made import format_of, place_of, whole
from stelae.cli.transcripts import Form, writer_of
from stelae.errors import InvalidInput
from stelae.types import AudioFormat, ImageFormat, Segment

PNG, MP3 = ImageFormat.PNG, AudioFormat.MP3


@pytest.mark.parametrize(
    ("name", "asked", "form"),
    [
        ("a.png", None, "png"),
        ("a.JPG", None, "jpeg"),
        ("a.tar.webp", None, "webp"),
        ("a", None, "png"),
        ("a.gif", "jpeg", "jpeg"),
        (None, None, "png"),
        (None, "webp", "webp"),
    ],
)
def test_format_is_as_asked_for_or_as_the_name_ends(
    name: str | None, asked: str | None, form: str
) -> None:
    assert format_of(None if name is None else Path(name), asked, ImageFormat, PNG) == form


def test_other_ends_of_names_are_known() -> None:
    assert format_of(Path("a.ogg"), None, AudioFormat, MP3) is AudioFormat.OPUS
    assert format_of(Path("a.txt"), None, Form, Form.SRT) is Form.TEXT
    with pytest.raises(InvalidInput, match=r"a\.gif: names end with one of png, jpeg, webp"):
        format_of(Path("a.gif"), None, ImageFormat, PNG)


def test_terminals_get_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for output in (None, Path("-")):
        with pytest.raises(InvalidInput, match="a picture cannot be written to a terminal"):
            place_of(output, "a picture", "picture.png")
    assert place_of(Path("a.png"), "a picture", "picture.png") == Path("a.png")


def test_folder_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no folder"):
        place_of(tmp_path / "no" / "a.png", "a picture", "picture.png")


def test_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with suppress(ZeroDivisionError), whole(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with whole(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert list(tmp_path.iterdir()) == [path]


def test_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with whole(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"new"


def test_pipe_with_a_name_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole(pipe) as file:
        file.write(b"all")
    assert os.read(reader, 10) == b"all"
    os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), whole(tmp_path) as file:
        file.write(b"all")


def test_line_holds_a_segment_and_silence_is_none() -> None:
    writer = writer_of(Form.TEXT, "a.wav", titled=True)
    assert writer.head == "==> a.wav <==\n"
    assert writer.write(Segment(id=0, start=0, end=1, text=" two\nlines ")) == "two lines\n"
    assert writer.write(Segment(id=1, start=1, end=2, text=" ")) == ""
