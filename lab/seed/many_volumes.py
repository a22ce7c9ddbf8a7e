"""Hosts and volumes, many at once: made, attached and mounted side by side instead of one after the other."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any, TypeVar

from lab.seed.hosts import Hosts
from lab.waiting import wait_until

WORKERS = 8
STATE_SECONDS = 300
ROOT_AND_SYSTEM = 6  # the letters that a host's own disks and its system volume have
DEVICES = (
    *(f"/dev/sd{letter}" for letter in ascii_lowercase[ROOT_AND_SYSTEM:]),
    *(f"/dev/xvd{first}{second}" for first in "bcd" for second in ascii_lowercase[:24]),
)
"""Names for volumes beside those that a host has already (`lab.cloud.devices`)."""

# As `lab.seed.hosts.MOUNT`, but with one look at the host's disks for all of them.
_MOUNT = r"""
mkdir -p {folder}
disk=$(printf '%s\n' "$disks" | sed -n 's/^SERIAL="{serial}" NAME="\(.*\)"$/\1/p')
mountpoint -q {folder} || mount "$disk" {folder}
"""

Item = TypeVar("Item")


@dataclass(frozen=True)
class WantedVolume:
    """A volume by its Name tag, the host that is to have it, the device's name there, and where it is mounted."""

    name: str
    instance: str
    device: str
    mount: str


def make_hosts(hosts: Hosts, names: Iterable[str]) -> dict[str, str]:
    """The ids of the hosts of these names, started where there is none."""
    wanted = list(names)
    hosts.make_image()  # before several look for it at once
    return dict(zip(wanted, side_by_side(hosts.host, wanted), strict=True))


def make_volumes(hosts: Hosts, wanted: Sequence[WantedVolume]) -> dict[str, str]:
    """The ids of the volumes by their names, all of them mounted; what is there already is left as it is.

    Raises TimeoutError where one does not get ready, RuntimeError where a host does not mount one.
    """
    if not wanted:
        return {}
    known = {name: volume["VolumeId"] for name, volume in _by_name(hosts).items()}
    made = [volume for volume in wanted if volume.name not in known]
    ids = known | dict(
        zip([one.name for one in made], side_by_side(hosts.make_volume, [one.name for one in made]), strict=True)
    )
    _await(hosts, wanted, lambda volume: volume["State"] in ("available", "in-use"), "made")
    attached = {name for name, volume in _by_name(hosts).items() if volume["Attachments"]}
    loose = [volume for volume in wanted if volume.name not in attached]
    side_by_side(lambda volume: hosts.attach(ids[volume.name], volume.instance, volume.device), loose)
    _await(hosts, wanted, _is_attached, "attached")
    by_host = defaultdict(list)
    for volume in wanted:
        by_host[volume.instance].append(volume)
    side_by_side(lambda instance: hosts.run(instance, _mount_script(hosts, ids, by_host[instance])), list(by_host))
    return {volume.name: ids[volume.name] for volume in wanted}


def side_by_side(deed: Callable[[Item], Any], items: Sequence[Item]) -> list[Any]:
    """What `deed` makes of each item, several at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(deed, items))


def _by_name(hosts: Hosts) -> dict[str, dict[str, Any]]:
    return {
        tag["Value"]: volume for volume in hosts.all_volumes() for tag in volume.get("Tags", []) if tag["Key"] == "Name"
    }


def _await(hosts: Hosts, wanted: Sequence[WantedVolume], is_so: Callable[[Mapping[str, Any]], bool], what: str) -> None:
    def all_are() -> bool:
        volumes = _by_name(hosts)
        return all(is_so(volumes[one.name]) for one in wanted)

    wait_until(all_are, STATE_SECONDS, f"Not all of {len(wanted)} volumes are {what} within {STATE_SECONDS} s.")


def _is_attached(volume: Mapping[str, Any]) -> bool:
    return [attachment["State"] for attachment in volume["Attachments"]] == ["attached"]


def _mount_script(hosts: Hosts, ids: Mapping[str, str], volumes: Iterable[WantedVolume]) -> str:
    lines = ["set -eu", "disks=$(lsblk --pairs --paths --nodeps --noheadings --output SERIAL,NAME)"]
    for volume in volumes:
        folder = shlex.quote(str(place(hosts, volume.instance, volume.mount)))
        lines.append(_MOUNT.format(folder=folder, serial=ids[volume.name].replace("-", "")))
    return "\n".join(lines)


def place(hosts: Hosts, instance: str, path: str) -> Path:
    """The folder of the lab that stands for an absolute path on a host."""
    return hosts.folder(instance) / path.lstrip("/")
