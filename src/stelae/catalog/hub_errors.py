"""What can go wrong at the hub, as our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stelae.errors import (
    Forbidden,
    HubUnreachable,
    ModelLoadFailed,
    ModelNotFound,
    StelaeError,
    Unauthorized,
)

RETRY_AFTER = 30.0
"""Seconds after which a hub that did not answer may be asked again."""


@contextmanager
def translated(repo: str, revision: str | None, *, offline: bool) -> Iterator[None]:
    """Turn errors of the hub library into typed ones.

    Args:
        repo: Hub id that is asked for.
        revision: Its revision.
        offline: Whether the network may not be used.

    Raises:
        StelaeError: Always one of its classes, with what to do.
    """
    # Both are there and loaded: whoever calls this has imported the library. Nobody else should
    # wait for them, least of all a server that starts.
    import httpx
    from huggingface_hub import errors as hub

    name = f"{repo}@{revision}" if revision else repo
    try:
        yield
    except hub.HFValidationError as error:
        raise _not_found(f"{repo!r} is not a hub id", "write organisation/name") from error
    except hub.RevisionNotFoundError as error:
        hint = "check the branch, tag or commit"
        raise _not_found(f"the hub has no revision {revision!r} of {repo}", hint) from error
    except (hub.GatedRepoError, hub.DisabledRepoError) as error:
        raise Forbidden(
            f"the hub does not let this token read {name}",
            hint=f"accept the conditions on the page of {repo} and give a token that may read it",
        ) from error
    except hub.RepositoryNotFoundError as error:
        hint = "check the spelling; a private model needs a token"
        raise _not_found(f"the hub has no model {repo}", hint) from error
    except hub.LocalEntryNotFoundError as error:
        raise _missing(name, repo, offline=offline) from error
    except hub.HfHubHTTPError as error:
        raise _refused(name, error.response.status_code, str(error)) from error
    except (httpx.HTTPError, hub.OfflineModeIsEnabled) as error:
        raise _unreachable(name, str(error)) from error
    except OSError as error:
        raise ModelLoadFailed(
            f"fetching {name} failed: {error.strerror or error}",
            hint="check the space and the rights in the cache folder, then try again",
        ) from error
    except ValueError as error:
        raise ModelLoadFailed(
            f"what the hub has of {name} is not safe to store: {error}"
        ) from error


def _not_found(message: str, hint: str) -> ModelNotFound:
    return ModelNotFound(message, param="model", hint=hint)


def _missing(name: str, repo: str, *, offline: bool) -> StelaeError:
    if not offline:
        return _unreachable(name, "no answer, and the cache has not got it whole")
    return _not_found(
        f"{name} is not in the cache, and the hub may not be asked (offline)",
        f"run `stelae pull {repo}` with a network, or give a folder",
    )


def _refused(name: str, status: int, text: str) -> StelaeError:
    if status in {401, 403}:
        return Unauthorized(
            f"the hub refused the token for {name}", hint="give a valid token of the hub, or none"
        )
    first = text.partition("\n")[0]
    if status < 500 and status not in {408, 429}:
        return ModelLoadFailed(f"the hub answered {status} for {name}: {first}")
    return _unreachable(name, first)


def _unreachable(name: str, reason: str) -> HubUnreachable:
    return HubUnreachable(
        f"the hub cannot be reached for {name}: {reason}",
        hint="check the network and the proxy; what is in the cache is served without it",
        retry_after=RETRY_AFTER,
    )
