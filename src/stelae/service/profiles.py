"""Machine profiles: the names under which callers ask for a kind of machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stelae.errors import InvalidInput

CPU = "cpu"
"""Profile of a machine without a GPU."""

WORKER = "worker-0"
"""Name of this server among the workers of a pool."""

_NOISE = re.compile(r"nvidia|tesla|geforce|quadro|graphics|gpu|pcie|nvl|sxm\d*|hbm\d\w*")
_MEMORY = re.compile(r"\d+gb")


def profile_of(gpus: Sequence[str]) -> str:
    """The profile of a machine by the names of its GPUs.

    ``NVIDIA L4`` gives ``l4`` and ``NVIDIA A100-SXM4-80GB`` gives ``a100-80gb``;
    none gives ``cpu``.
    """
    if not gpus:
        return CPU
    words = [word for word in re.split(r"[\s-]+", gpus[0].lower()) if word]
    named = [word for word in words if not _NOISE.fullmatch(word)]
    sizes = [word for word in named if _MEMORY.fullmatch(word)]
    return "-".join([word for word in named if word not in sizes] + sizes[:1]) or CPU


class Profiles:
    """Which machine profiles there are, and which of them is here.

    Args:
        own: Profile of this machine.
        others: Further profiles that can be asked for; they are not here.
        accept_any: Whether this machine answers for every profile.
    """

    def __init__(
        self, own: str = CPU, others: Iterable[str] = (), *, accept_any: bool = False
    ) -> None:
        self.own = own.lower()
        self.accept_any = accept_any
        self.configured = tuple(dict.fromkeys([self.own, *(name.lower() for name in others)]))

    def find(self, asked: str) -> str | None:
        """The profile that a name means, or ``None``.

        Capitals make no difference. ``l4`` means ``l4-spot`` where that is the only
        profile that begins so.
        """
        name = asked.strip().lower()
        if self.accept_any:
            return self.own
        if name in self.configured:
            return name
        variants = [known for known in self.configured if known.startswith(f"{name}-")]
        return variants[0] if name and len(variants) == 1 else None

    def resolve(self, asked: str) -> str:
        """The profile that a name means.

        Raises:
            InvalidInput: None does.
        """
        if (found := self.find(asked)) is not None:
            return found
        raise InvalidInput(
            f"machine profile {asked[:100]!r} is not configured here; there is "
            f"{', '.join(self.configured)}",
            param="gpu",
            hint="ask for one of these or for none, or set cluster.accept_any_profile",
            details={"requested_profile": asked[:100], "worker_identity": f"{WORKER}/{self.own}"},
        )

    def live(self, profile: str) -> bool:
        """Whether a configured profile is here."""
        return profile == self.own
