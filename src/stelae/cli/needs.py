"""Packages of an extra that a command needs before it starts."""

from __future__ import annotations

from importlib.util import find_spec

from stelae.errors import MissingDependency


def need(what: str, *modules: str, extra: str) -> None:
    """Check that modules are installed, without importing them.

    Args:
        what: Who needs them, for the message.
        modules: Import names.
        extra: The extra of stelae that installs them.

    Raises:
        MissingDependency: One is not installed; the hint is the command that adds it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingDependency(
                f"{what} needs the package '{module}', which is not installed",
                hint=f"pip install 'stelae[{extra}]'",
            )
