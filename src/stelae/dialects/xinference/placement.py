"""How many replicas are asked for, and on which GPUs."""

from __future__ import annotations

import re

from stelae.dialects.xinference.launch_schema import Devices, ReplicaConfig, XinferenceLaunch
from stelae.errors import InvalidInput

Gpus = tuple[tuple[int, ...], ...] | None
"""GPUs of each replica, or one entry for all; an empty entry is the CPU, ``None`` is open."""

CPU: Gpus = ((),)
AUTO = "auto"
_DEVICE = re.compile(r"(?:cuda|gpu)(?::(\d{1,4}))?")
_COUNT = re.compile(r"[0-9]{1,9}")


def replicas_of(asked: XinferenceLaunch) -> int:
    """How many replicas are asked for.

    Raises:
        InvalidInput: That is no number from 1, or another than that of ``replica_config``.
    """
    count = positive(asked.replica, "replica")
    if asked.replica_config is None:
        return count
    if count not in (1, len(asked.replica_config)):
        raise InvalidInput(
            f"replica={count}: replica_config has {len(asked.replica_config)} entries; one for "
            "each replica was expected",
            param="replica",
        )
    return len(asked.replica_config)


def positive(given: int | str, param: str) -> int:
    """A number from 1, or its digits.

    Raises:
        InvalidInput: It is none.
    """
    text = str(given).strip()
    if isinstance(given, bool) or not (_COUNT.fullmatch(text) and int(text) > 0):
        raise InvalidInput(f"{param}={given!r:.40}: a number from 1 was expected", param=param)
    return int(text)


def gpus_of(asked: XinferenceLaunch, cards: int) -> Gpus:
    """The GPUs that are asked for.

    Args:
        asked: The request.
        cards: GPUs of this machine.

    Raises:
        InvalidInput: It asks for more than there are, or in two ways.
    """
    if asked.replica_config is not None:
        return _configured(asked, asked.replica_config, cards)
    count = replicas_of(asked)
    if asked.gpu_idx is not None:
        return _shared_out(asked.gpu_idx, count)
    if asked.n_gpu == AUTO:
        return _device(asked.device, cards)
    wanted = _number(asked.n_gpu, cards, "n_gpu")
    if not wanted:
        return CPU
    return tuple(
        tuple((each * wanted + card) % cards for card in range(wanted)) for each in range(count)
    )


def _shared_out(given: int | list[int], replicas: int) -> Gpus:
    """GPUs in equal parts."""
    cards = [given] if isinstance(given, int) else given
    each, left = divmod(len(cards), replicas)
    if left or not each:
        raise InvalidInput(
            f"gpu_idx has {len(cards)} entries; a multiple of the {replicas} replicas was expected",
            param="gpu_idx",
        )
    return tuple(tuple(cards[each * n : each * (n + 1)]) for n in range(replicas))


def _configured(asked: XinferenceLaunch, configs: list[ReplicaConfig], cards: int) -> Gpus:
    beside = {
        "worker_ip": asked.worker_ip is not None,
        "gpu_idx": asked.gpu_idx is not None,
        "n_gpu": asked.n_gpu not in (AUTO, None),
    }
    if given := [name for name, there in beside.items() if there]:
        raise InvalidInput(
            f"replica_config says where replicas run; leave out {', '.join(given)}",
            param="replica_config",
        )
    if not configs:
        raise InvalidInput(
            "replica_config: one entry at least was expected", param="replica_config"
        )
    places = [_place(config, f"replica_config[{n}]", cards) for n, config in enumerate(configs)]
    known = tuple(place for place in places if place is not None)
    if not known:
        return None
    if len(known) < len(places):
        raise InvalidInput(
            "replica_config: either all replicas name their GPUs, or none", param="replica_config"
        )
    return known


def place_of(given: ReplicaConfig, param: str, cards: int) -> tuple[int, ...] | None:
    """The GPUs of one replica; ``None`` leaves them open.

    Raises:
        InvalidInput: There is not one device, or it asks for more than there is.
    """
    return _place(given, param, cards)


def _place(given: ReplicaConfig, param: str, cards: int) -> tuple[int, ...] | None:
    if len(given.devices) != 1:
        raise InvalidInput(
            f"{param}.devices has {len(given.devices)} entries; one was expected: a replica runs "
            "on one machine",
            param=f"{param}.devices",
        )
    device: Devices = given.devices[0]
    if device.gpu_idx is not None:
        return (device.gpu_idx,) if isinstance(device.gpu_idx, int) else tuple(device.gpu_idx)
    if device.n_gpu == AUTO:
        return None
    return first_cards(device.n_gpu, cards, f"{param}.devices[0].n_gpu")


def first_cards(n_gpu: int | str | None, cards: int, param: str) -> tuple[int, ...]:
    """So many GPUs, from the first on; none is the CPU.

    Raises:
        InvalidInput: That is no number, or more than there are.
    """
    return tuple(range(_number(n_gpu, cards, param)))


def _number(given: int | str | None, cards: int, param: str) -> int:
    """How many GPUs; 0 is the CPU."""
    if given is None:
        return 0
    text = str(given).strip()
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(
            f"{param}={given!r:.40}: a number of GPUs, 'auto' or null was expected", param=param
        )
    if int(text[:9]) > cards:
        raise InvalidInput(
            f"{param}={given!s:.40}: this machine has {_said(cards)}; choose 'auto', or null for "
            "the CPU",
            param=param,
        )
    return int(text[:9])


def _device(device: str, cards: int) -> Gpus:
    plain = device.strip().casefold()
    if plain == AUTO:
        return None
    if plain == "cpu":
        return CPU
    if (found := _DEVICE.fullmatch(plain)) is None:
        raise InvalidInput(
            f"device={device!r:.40}: auto, cpu, cuda or cuda:N was expected", param="device"
        )
    card = int(found[1] or 0)
    if card >= cards:
        raise InvalidInput(
            f"device={device!r:.40}: this machine has {_said(cards)}; choose auto or cpu",
            param="device",
        )
    return ((card,),)


def _said(cards: int) -> str:
    """How many GPUs there are, in words."""
    return f"{cards or 'no'} GPU{'s' * (cards > 1)}"
