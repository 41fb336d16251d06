"""The protocol of SIE: what the unmodified ``sie-sdk`` asks for."""

from stelae.dialects.base import Dialect
from stelae.dialects.sie.errors import render_error
from stelae.dialects.sie.health import HEALTH_OPERATIONS
from stelae.dialects.sie.jobs import JOB_OPERATIONS, JOBS
from stelae.dialects.sie.pools import POOL_OPERATIONS
from stelae.dialects.sie.routes import OPERATIONS
from stelae.dialects.sie.status import FEEDS
from stelae.dialects.sie.versions import speaks
from stelae.dialects.sie.writing import WRITING_OPERATIONS

DIALECT = Dialect(
    "sie",
    "SIE's protocol: msgpack or JSON",
    (*OPERATIONS, *HEALTH_OPERATIONS, *POOL_OPERATIONS, *JOB_OPERATIONS, *WRITING_OPERATIONS),
    render_error,
    speaks,
    feeds=FEEDS,
    works=(JOBS,),
)
