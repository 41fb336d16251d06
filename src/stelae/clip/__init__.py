"""CLIP's client under its own names, for any Stelae server: change the import, keep the code.

Write ``from stelae.clip import Client, Document, DocumentArray`` in place of the lines that import
``clip_client`` and ``docarray``.
"""

from stelae.errors import MissingDependency

try:
    from stelae.clip.answers import Response
    from stelae.clip.array import DocumentArray
    from stelae.clip.client import Client
    from stelae.clip.document import Document
    from stelae.clip.scores import NamedScore
except ModuleNotFoundError as error:
    raise MissingDependency(
        f"stelae.clip needs the package {error.name!r}", hint="pip install 'stelae[clip]'"
    ) from error

__all__ = ["Client", "Document", "DocumentArray", "NamedScore", "Response"]
