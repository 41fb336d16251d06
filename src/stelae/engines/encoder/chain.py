"""The steps of one kind of output, put together from the checkpoint's files."""

from __future__ import annotations
