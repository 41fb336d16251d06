"""The protocol of OpenAI's clients: texts, embeddings, moderations, images, audio, batches."""

from stelae.dialects.base import Dialect
from stelae.dialects.openai.audio import AUDIO_OPERATIONS
from stelae.dialects.openai.audio_embeddings import AUDIO_EMBEDDING_OPERATIONS
from stelae.dialects.openai.batches import BATCH_OPERATIONS, BATCHES
from stelae.dialects.openai.chat_routes import CHAT_OPERATIONS
from stelae.dialects.openai.convert import render_error
from stelae.dialects.openai.files import FILE_OPERATIONS
from stelae.dialects.openai.images import IMAGE_OPERATIONS
from stelae.dialects.openai.moderations import MODERATION_OPERATIONS
from stelae.dialects.openai.responses.routes import RESPONSE_OPERATIONS
from stelae.dialects.openai.routes import OPERATIONS

DIALECT = Dialect(
    "openai",
    "OpenAI's chat, responses, embeddings, moderations, images, audio, models, files and batches",
    (
        *OPERATIONS,
        *CHAT_OPERATIONS,
        *RESPONSE_OPERATIONS,
        *MODERATION_OPERATIONS,
        *AUDIO_OPERATIONS,
        *AUDIO_EMBEDDING_OPERATIONS,
        *IMAGE_OPERATIONS,
        *FILE_OPERATIONS,
        *BATCH_OPERATIONS,
    ),
    render_error,
    works=(BATCHES,),
)
