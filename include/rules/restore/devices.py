"""Device names for the volumes that a restore attaches."""

from __future__ import annotations

import re
from collections.abc import Iterable

from include.rules.errors import RefusedError
from include.rules.register.tenants import Platform

DEVICES = {
    Platform.LINUX: tuple(f"/dev/sd{letter}" for letter in "fghijklmnop"),
    Platform.WINDOWS: tuple(f"xvd{letter}" for letter in "fghijklmnopqrstuvwxyz"),
}
"""Names that Amazon recommends for data volumes (docs.aws.amazon.com, "Device names for volumes")."""


def free_devices(in_use: Iterable[str], platform: Platform = Platform.LINUX) -> tuple[str, ...]:
    """The device names that another volume of a host could get, so far as its volumes tell."""
    letters = {_letter(device) for device in in_use}
    return tuple(device for device in DEVICES[platform] if _letter(device) not in letters)


def free_device(in_use: Iterable[str], platform: Platform = Platform.LINUX) -> str:
    """A device name for another volume of a host.

    Raises:
        RefusedError: when all of them are taken.
    """
    for device in free_devices(in_use, platform):
        return device
    raise RefusedError(
        f"The host has no free device name from {DEVICES[platform][0]} to {DEVICES[platform][-1]}.",
        why="The volume with the files cannot be attached; nothing was overwritten.",
        todo="Detach a volume that the host no longer needs.",
    )


def _letter(device: str) -> str:
    """The same device goes by several names: /dev/sdf, sdf, /dev/xvdf, xvdf."""
    return re.sub(r"^(/dev/)?(xvd|sd)", "", device)
