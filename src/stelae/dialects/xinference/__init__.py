"""The protocol of Xinference's clients: launching, the registry, the cluster, and handles."""

from stelae.dialects.base import Dialect
from stelae.dialects.xinference.asked import ASKED_OPERATIONS
from stelae.dialects.xinference.autostart import AUTOSTART_OPERATIONS
from stelae.dialects.xinference.cache import CACHE_OPERATIONS
from stelae.dialects.xinference.cluster import CLUSTER_OPERATIONS
from stelae.dialects.xinference.describing import DESCRIBING_OPERATIONS
from stelae.dialects.xinference.engines import ENGINE_OPERATIONS
from stelae.dialects.xinference.handles import HANDLE_OPERATIONS
from stelae.dialects.xinference.history import HISTORY_OPERATIONS
from stelae.dialects.xinference.launching import LAUNCHING_OPERATIONS
from stelae.dialects.xinference.login import LOGIN_OPERATIONS
from stelae.dialects.xinference.progress import PROGRESS_OPERATIONS
from stelae.dialects.xinference.refusals import render_error
from stelae.dialects.xinference.registrations import REGISTRATION_OPERATIONS
from stelae.dialects.xinference.reload import RELOAD_OPERATIONS
from stelae.dialects.xinference.replicas import REPLICA_OPERATIONS
from stelae.dialects.xinference.updates import UPDATE_OPERATIONS
from stelae.dialects.xinference.versions import VERSION_OPERATIONS

DIALECT = Dialect(
    "xinference",
    "Xinference's models, registry, cluster and handles",
    (
        *CLUSTER_OPERATIONS,
        *LOGIN_OPERATIONS,
        *DESCRIBING_OPERATIONS,
        *LAUNCHING_OPERATIONS,
        *PROGRESS_OPERATIONS,
        *REPLICA_OPERATIONS,
        *VERSION_OPERATIONS,
        *UPDATE_OPERATIONS,
        *RELOAD_OPERATIONS,
        *ASKED_OPERATIONS,
        *AUTOSTART_OPERATIONS,
        *HISTORY_OPERATIONS,
        *REGISTRATION_OPERATIONS,
        *ENGINE_OPERATIONS,
        *CACHE_OPERATIONS,
        *HANDLE_OPERATIONS,
    ),
    render_error,
)
