# Generated from src/stelae/client/_async/_media.py by tools/unasync.py: do not edit.
"""Pictures and sound, as a part of the client."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Unpack

from stelae.client._sync._backend import Backend
from stelae.client._sync._sender import Sender
from stelae.client._hearing import (
    Position,
    RecordingLike,
    TranscribeOptions,
    Transcript,
    transcribe_call,
)
from stelae.client._imaging import ImageOptions, Pictures, Steps, image_call
from stelae.client._options import Progress
from stelae.client._progress import gauge
from stelae.client._speaking import Speech, SpeechOptions, speech_call
from stelae.client._streams import IMAGE, SPEAK, TRANSCRIBE
from stelae.types import (
    ImageCall,
    ImagePiece,
    SpeechCall,
    SpeechPiece,
    TranscribeCall,
    TranscribePiece,
)


class Media:
    """What a client can ask of models that make pictures, listen or speak."""

    _sender: Sender
    _backend: Backend
    _model: str

    def image(
        self,
        prompt: str,
        *,
        model: str | None = None,
        timeout: float | None = None,
        progress: Progress = False,
        **options: Unpack[ImageOptions],
    ) -> Pictures:
        """Make pictures from a prompt alone, or from pictures and a prompt.

        Args:
            prompt: What they shall show.
            model: Name of the model; the client's own if not given.
            timeout: Seconds to wait for all of them; the client's own if not given.
            progress: ``True`` shows a bar on standard error; a function is called with the steps
                done and the steps in all, ``None`` if not known.
            options: How many, their size, the pictures to begin with, how they are made; see
                ``ImageOptions`` and ``ImageCall``.

        Returns:
            The pictures; ``save`` writes their files.

        Raises:
            InvalidInput: A picture or an option is not valid.
            InputTooLong: The model does not read so long a prompt.
            StelaeError: It failed.

        Example:
            >>> with Client(model="sd-turbo") as client:
            ...     pictures = client.image("a lighthouse at dusk", size="512x512", seed=7)
            >>> pictures.save("lighthouse.png")
        """
        call = image_call(prompt, model or self._model, options)
        pieces: list[ImagePiece] = []
        steps = Steps(call.n)
        with gauge(progress, "image", "steps") as tell:
            with closing(self._drawn(call, timeout)) as made:
                for piece in made:
                    pieces.append(piece)
                    tell(*steps.add(piece))
        return Pictures.of(pieces)

    def stream_image(
        self,
        prompt: str,
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[ImageOptions],
    ) -> Generator[ImagePiece]:
        """Make pictures, and hear of each step; see ``image``.

        Returns:
            The pieces as they are made; only the last has ``usage``. Close it, or leave it, and
            the model stops. A request is sent again while no piece has come, never later.
        """
        return self._drawn(image_call(prompt, model or self._model, options), timeout)

    def transcribe(
        self,
        audio: RecordingLike,
        *,
        model: str | None = None,
        timeout: float | None = None,
        progress: Progress = False,
        **options: Unpack[TranscribeOptions],
    ) -> Transcript:
        """Write down what is said in a recording, or the same in English (``translate``).

        Args:
            audio: The recording: its file's path, the bytes of that, or a data URI.
            model: Name of the model; the client's own if not given.
            timeout: Seconds to wait for all of it; the client's own if not given.
            progress: ``True`` shows a bar on standard error; a function is called with the
                seconds of sound done and those in all, ``None`` if not known.
            options: The language, a text that might stand before, whether each word gets its
                times; see ``TranscribeOptions`` and ``TranscribeCall``.

        Returns:
            What is said, segment by segment; ``text`` is all of it.

        Raises:
            InvalidInput: The recording or an option is not valid.
            StelaeError: It failed.

        Example:
            >>> with Client(model="whisper-small") as client:
            ...     transcript = client.transcribe("talk.mp3", words=True)
            >>> print(transcript.language, transcript.text)
        """
        call = transcribe_call(audio, model or self._model, options)
        pieces: list[TranscribePiece] = []
        position = Position()
        with gauge(progress, "transcribe", "seconds") as tell:
            with closing(self._heard(call, timeout)) as made:
                for piece in made:
                    pieces.append(piece)
                    tell(*position.add(piece))
        return Transcript.of(pieces)

    def stream_transcribe(
        self,
        audio: RecordingLike,
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[TranscribeOptions],
    ) -> Generator[TranscribePiece]:
        """Write down what is said in a recording, piece by piece; see ``transcribe``.

        Returns:
            The pieces as they are made, as of ``stream_image``; ``Transcript.of`` puts them
            together.
        """
        return self._heard(transcribe_call(audio, model or self._model, options), timeout)

    def speak(
        self,
        text: str,
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[SpeechOptions],
    ) -> Speech:
        """Read a text aloud.

        Args:
            text: What to read.
            model: Name of the model; the client's own if not given.
            timeout: Seconds to wait for all of it; the client's own if not given.
            options: The voice, how fast, the format of the sound; see ``SpeechOptions`` and
                ``SpeechCall``.

        Returns:
            The sound; ``save`` writes its file.

        Raises:
            InvalidInput: The text or an option is not valid.
            StelaeError: It failed.

        Example:
            >>> with Client(model="mms-tts-eng") as client:
            ...     speech = client.speak("The ferry leaves at seven.", format="wav")
            >>> speech.save("ferry.wav")
        """
        call = speech_call(text, model or self._model, options)
        pieces: list[SpeechPiece] = []
        with closing(self._spoken(call, timeout)) as made:
            for piece in made:
                pieces.append(piece)  # noqa: PERF401 - the synchronous side is made of this
        return Speech.of(pieces, call.format)

    def stream_speak(
        self,
        text: str,
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[SpeechOptions],
    ) -> Generator[bytes]:
        """Read a text aloud, chunk by chunk; see ``speak``.

        Returns:
            The bytes of the file as they are made. Close it, or leave it, and the model stops. A
            request is sent again while nothing has come, never later.
        """
        return self._sound(speech_call(text, model or self._model, options), timeout)

    def _drawn(self, call: ImageCall, timeout: float | None) -> Generator[ImagePiece]:
        return self._sender.told(partial(self._backend.stream, IMAGE, call), timeout)

    def _heard(
        self, call: TranscribeCall, timeout: float | None
    ) -> Generator[TranscribePiece]:
        return self._sender.told(partial(self._backend.stream, TRANSCRIBE, call), timeout)

    def _sound(self, call: SpeechCall, timeout: float | None) -> Generator[bytes]:
        with closing(self._spoken(call, timeout)) as made:
            for piece in made:
                if piece.audio:
                    yield piece.audio

    def _spoken(self, call: SpeechCall, timeout: float | None) -> Generator[SpeechPiece]:
        return self._sender.told(partial(self._backend.stream, SPEAK, call), timeout)
