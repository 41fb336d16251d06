# Generated from src/stelae/xinference/_async/media.py by tools/unasync.py: do not edit.
"""What is done with models for pictures, sound and films, as Xinference's handles have it.

Files are bytes; here they may also be paths or data URIs.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

from stelae.xinference import _media
from stelae.xinference._asks import Ask, FileLike
from stelae.xinference._sync.handles import ModelHandle
from stelae.xinference.types import AudioEmbedding, ImageList, VideoList


class ImageModelHandle(ModelHandle):
    """A model that makes pictures."""

    def text_to_image(
        self,
        prompt: str,
        n: int = 1,
        size: str = "1024*1024",
        response_format: str = "url",
        **kwargs: Any,
    ) -> ImageList:
        """Make pictures of a prompt.

        Args:
            prompt: What they shall show.
            n: How many.
            size: Width and height in pixels.
            response_format: ``url`` for where their files are, ``b64_json`` for the files.
            kwargs: How they are made, as ``num_inference_steps``, ``guidance_scale``, ``seed``.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        fields = _media.wish(prompt, n, size, response_format)
        return self._images(_media.generation(self._model_uid, fields, kwargs))

    def image_to_image(
        self,
        image: FileLike | list[FileLike],
        prompt: str,
        negative_prompt: str | None = None,
        n: int = 1,
        size: str | None = None,
        response_format: str = "url",
        **kwargs: Any,
    ) -> ImageList:
        """Make pictures of pictures and a prompt; see ``text_to_image``.

        Args:
            image: What to begin with.
            prompt: What they shall show.
            negative_prompt: What they shall not show.
            n: How many.
            size: Width and height in pixels; those of the picture if not given.
            response_format: As there.
            kwargs: As there.
        """
        wish = _media.wish(prompt, n, size, response_format)
        fields = {**wish, "negative_prompt": negative_prompt}
        return self._images(_media.variation(self._model_uid, image, fields, kwargs))

    def image_edit(
        self,
        images: FileLike | list[FileLike],
        prompt: str,
        mask: FileLike | None = None,
        n: int = 1,
        size: str | None = None,
        response_format: str = "url",
        **kwargs: Any,
    ) -> ImageList:
        """Change pictures as a prompt says; see ``text_to_image``.

        Args:
            images: What to change.
            prompt: How.
            mask: Where, if not everywhere.
            n: How many answers.
            size: Width and height in pixels; those of the picture if not given.
            response_format: As there.
            kwargs: As there.
        """
        fields = _media.wish(prompt, n, size, response_format)
        return self._images(_media.edit(self._model_uid, images, mask, fields, kwargs))

    def inpainting(
        self,
        image: FileLike,
        mask_image: FileLike,
        prompt: str,
        negative_prompt: str | None = None,
        n: int = 1,
        size: str | None = None,
        response_format: str = "url",
        **kwargs: Any,
    ) -> ImageList:
        """Make a part of a picture anew; see ``text_to_image``.

        Args:
            image: The picture.
            mask_image: White where it is made anew.
            prompt: What it shall show there.
            negative_prompt: What it shall not show.
            n: How many answers.
            size: Width and height in pixels; those of the picture if not given.
            response_format: As there.
            kwargs: As there.
        """
        wish = _media.wish(prompt, n, size, response_format)
        fields = {**wish, "negative_prompt": negative_prompt}
        files = {"image": image, "mask_image": mask_image}
        return self._images(_media.inpainting(self._model_uid, files, fields, kwargs))

    def ocr(self, image: FileLike, **kwargs: Any) -> Any:
        """Read what stands in a picture.

        Args:
            image: The picture.
            kwargs: How it is read.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        return self._rest.value(_media.reading(self._model_uid, image, kwargs))

    def _images(self, ask: Ask) -> ImageList:
        return cast("ImageList", self._rest.value(ask))


class AudioModelHandle(ModelHandle):
    """A model that listens or speaks."""

    def transcriptions(
        self,
        audio: FileLike,
        language: str | None = None,
        prompt: str | None = None,
        response_format: str | None = "json",
        temperature: float | None = 0,
        timestamp_granularities: list[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Write down what is said in a recording.

        Args:
            audio: The recording.
            language: Its language; found out if not given.
            prompt: What it is about, names that are said.
            response_format: ``json``, or ``verbose_json`` with the times of what is said.
            temperature: 0 for the likeliest words.
            timestamp_granularities: ``segment``, ``word`` or both.
            kwargs: What else the server should know.

        Returns:
            A dict with ``text``.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        fields = {
            "language": language,
            "prompt": prompt,
            "response_format": response_format,
            "temperature": temperature,
            "timestamp_granularities[]": timestamp_granularities,
        }
        return self._heard("transcribe", audio, fields, kwargs)

    def translations(
        self,
        audio: FileLike,
        language: str | None = None,
        prompt: str | None = None,
        response_format: str | None = "json",
        temperature: float | None = 0,
        timestamp_granularities: list[str] | None = None,
    ) -> dict[str, Any]:
        """Write down in English what is said in a recording; see ``transcriptions``."""
        fields = {
            "language": language,
            "prompt": prompt,
            "response_format": response_format,
            "temperature": temperature,
            "timestamp_granularities[]": timestamp_granularities,
        }
        return self._heard("translate", audio, fields, None)

    def speech(
        self,
        input: str,
        voice: str = "",
        response_format: str = "mp3",
        speed: float = 1.0,
        stream: bool = False,
        prompt_speech: FileLike | None = None,
        prompt_latent: FileLike | None = None,
        **kwargs: Any,
    ) -> bytes | Generator[bytes]:
        """Read a text out.

        Args:
            input: The text.
            voice: Whose voice; the model's own if empty.
            response_format: ``mp3``, ``wav``, ``flac``, ``opus``, ``aac`` or ``pcm``.
            speed: How fast, 1 as the model speaks.
            stream: Whether the recording comes piece by piece.
            prompt_speech: A recording of the voice.
            prompt_latent: The same as the model has it inside.
            kwargs: What else the server should know.

        Returns:
            The recording, or its pieces.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        fields = {
            "input": input,
            "voice": voice,
            "response_format": response_format,
            "speed": speed,
            "stream": stream,
        }
        files = {"prompt_speech": prompt_speech, "prompt_latent": prompt_latent}
        ask = _media.speech(self._model_uid, fields, files, kwargs)
        return self._rest.pieces(ask) if stream else self._rest.data(ask)

    def create_embedding(self, audio: FileLike) -> AudioEmbedding:
        """The vector of the voice in a recording."""
        ask = _media.voice(self._model_uid, audio)
        return cast("AudioEmbedding", self._rest.value(ask))

    def _heard(
        self,
        verb: str,
        audio: FileLike,
        fields: dict[str, Any],
        kwargs: dict[str, Any] | None,
    ) -> dict[str, Any]:
        ask = _media.hearing(verb, self._model_uid, audio, fields, kwargs)
        return cast("dict[str, Any]", self._rest.value(ask))


class VideoModelHandle(ModelHandle):
    """A model that makes films; a Stelae server has none, and says so."""

    def text_to_video(self, prompt: str, n: int = 1, **kwargs: Any) -> VideoList:
        """Make films of a prompt.

        Args:
            prompt: What they shall show.
            n: How many.
            kwargs: How they are made.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        ask = _media.film(self._model_uid, {"prompt": prompt, "n": n}, kwargs)
        return cast("VideoList", self._rest.value(ask))

    def image_to_video(
        self,
        image: FileLike,
        prompt: str,
        negative_prompt: str | None = None,
        n: int = 1,
        video: FileLike | None = None,
        **kwargs: Any,
    ) -> VideoList:
        """Make films that begin with a picture; see ``text_to_video``.

        Args:
            image: The picture.
            prompt: What they shall show.
            negative_prompt: What they shall not show.
            n: How many.
            video: A film to go by.
            kwargs: How they are made.
        """
        fields = {"prompt": prompt, "negative_prompt": negative_prompt, "n": n}
        files = {"image": image, "video": video}
        ask = _media.film_of_image(self._model_uid, files, fields, kwargs)
        return cast("VideoList", self._rest.value(ask))

    def flf_to_video(
        self,
        first_frame: FileLike,
        last_frame: FileLike,
        prompt: str,
        negative_prompt: str | None = None,
        n: int = 1,
        **kwargs: Any,
    ) -> VideoList:
        """Make films between two pictures; see ``text_to_video``.

        Args:
            first_frame: How they begin.
            last_frame: How they end.
            prompt: What they shall show.
            negative_prompt: What they shall not show.
            n: How many.
            kwargs: How they are made.
        """
        fields = {"prompt": prompt, "negative_prompt": negative_prompt, "n": n}
        ask = _media.film_between(self._model_uid, first_frame, last_frame, fields, kwargs)
        return cast("VideoList", self._rest.value(ask))


class WorldModelHandle(ModelHandle):
    """A model that makes worlds; a Stelae server has none, and says so."""

    def generate(
        self,
        prompt: str,
        image: FileLike | None = None,
        video: FileLike | None = None,
        generation_config: dict[str, Any] | None = None,
        **model_kwargs: Any,
    ) -> VideoList:
        """Make a world of a prompt.

        Args:
            prompt: What it shall be.
            image: What it begins with: bytes, or an address.
            video: The same as a film.
            generation_config: How it is made.
            model_kwargs: What else the model should know.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        files = {"image": image, "video": video}
        ask = _media.world(self._model_uid, prompt, files, generation_config, model_kwargs)
        return cast("VideoList", self._rest.value(ask))
