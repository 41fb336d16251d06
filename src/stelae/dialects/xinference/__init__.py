"""The protocol of Xinference's clients: launching, the registry, the cluster."""

from stelae.dialects.answers import house_error
from stelae.dialects.base import Dialect
from stelae.dialects.xinference.cluster import CLUSTER_OPERATIONS
from stelae.dialects.xinference.handles import HANDLE_OPERATIONS

DIALECT = Dialect(
    "xinference", "Xinference's API", (*CLUSTER_OPERATIONS, *HANDLE_OPERATIONS), house_error
)
