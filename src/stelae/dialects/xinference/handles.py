"""What the handles of models ask for on paths that no other protocol has."""

from __future__ import annotations

from stelae.dialects.xinference.flexible import FLEXIBLE_OPERATIONS
from stelae.dialects.xinference.ocr import OCR_OPERATIONS
from stelae.dialects.xinference.tokens import TOKEN_OPERATIONS
from stelae.dialects.xinference.videos import VIDEO_OPERATIONS

HANDLE_OPERATIONS = (
    *TOKEN_OPERATIONS,
    *OCR_OPERATIONS,
    *FLEXIBLE_OPERATIONS,
    *VIDEO_OPERATIONS,
)
