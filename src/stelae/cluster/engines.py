"""Loading what a deployment names."""

from __future__ import annotations

from msgspec.structs import replace

from stelae.cluster.deployment import Deployment
from stelae.engines import registry
from stelae.engines.base import AnyEngine
from stelae.errors import ModelLoadFailed, StelaeError


def load(deployment: Deployment) -> tuple[Deployment, AnyEngine]:
    """Load the deployment's engine; blocks for as long as that takes.

    Returns:
        The deployment with the engine that serves it, which may be one of the others;
        and that engine.

    Raises:
        StelaeError: Whatever went wrong, as one of ours.
    """
    try:
        choice, engine = registry.load_chosen(
            _choice(deployment), deployment.spec, deployment.options
        )
    except StelaeError:
        raise
    except Exception as error:  # model libraries raise anything; the caller gets it as an answer
        raise ModelLoadFailed(
            f"model '{deployment.name}' could not be loaded by engine '{deployment.engine}': "
            f"{type(error).__name__}: {error}"
        ) from error
    return settled(deployment, choice.manifest.name, choice.reason), engine


def settled(deployment: Deployment, engine: str, reason: str) -> Deployment:
    """A deployment as it runs: with the engine that it came to, and no other."""
    return replace(deployment, engine=engine, reason=reason, others=())


def _choice(deployment: Deployment) -> registry.Choice:
    known = registry.manifests()
    others = tuple(known[name] for name in deployment.others)
    return registry.Choice(known[deployment.engine], deployment.reason, others)
