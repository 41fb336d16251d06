"""The protocol of CLIP-as-service: documents in, documents with vectors or scores out."""

from stelae.dialects.base import Dialect
from stelae.dialects.clip.errors import render_error
from stelae.dialects.clip.posts import speaks
from stelae.dialects.clip.routes import OPERATIONS
from stelae.dialects.clip.rpcs import RPCS
from stelae.dialects.clip.talks import TALKS
from stelae.wire.clip.messages import DESCRIPTORS

DIALECT = Dialect(
    "clip",
    "CLIP-as-service: documents as JSON or protobuf",
    OPERATIONS,
    render_error,
    speaks,
    guesses=True,
    talks=TALKS,
    rpcs=RPCS,
    descriptors=DESCRIPTORS,
)
