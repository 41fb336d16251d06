"""Loading what a deployment names."""

from __future__ import annotations

from stelae.cluster.deployment import Deployment
from stelae.engines import registry
from stelae.engines.base import AnyEngine
from stelae.errors import ModelLoadFailed, StelaeError


def load(deployment: Deployment) -> AnyEngine:
    """Load the deployment's engine; blocks for as long as that takes.

    Raises:
        StelaeError: Whatever went wrong, as one of ours.
    """
    try:
        manifest = registry.manifests()[deployment.engine]
        return registry.load(manifest, deployment.spec, deployment.options)
    except StelaeError:
        raise
    except Exception as error:  # model libraries raise anything; the caller gets it as an answer
        raise ModelLoadFailed(
            f"model '{deployment.name}' could not be loaded by engine '{deployment.engine}': "
            f"{type(error).__name__}: {error}"
        ) from error
