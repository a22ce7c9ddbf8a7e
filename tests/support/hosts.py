"""The fixture `hosts`: hosts with a mounted volume, lent to one borrower after the other, mostly a test.

Making one takes a dozen calls and a script. A host goes back only if it is as it was made: running, with that volume
at that mount and no other; what lies on its volume and in its folders is deleted before. Any other is never seen again.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.testing.cloud import LabCloud

DEVICE = "/dev/sdf"
_OF_THE_LAB = ("dev", "run")  # a host's folders in which the lab keeps its devices and mounts


@dataclass(frozen=True)
class MountedHost:
    """A host whose volume is mounted at a path of the host, which truly lies at `folder`."""

    instance: str
    volume: str
    folder: Path
    attached: tuple[tuple[str, str], ...]
    """Every device and its volume, the host's own disk too."""


class Hosts:
    """Hosts to lend, by where their volume is mounted."""

    def __init__(self, cloud: LabCloud) -> None:
        self._cloud = cloud
        self._idle: dict[str, list[MountedHost]] = defaultdict(list)

    def take(self, mount: str) -> MountedHost:
        """A host with an empty volume mounted there (`/srv/acme`)."""
        idle = self._idle[mount]
        return idle.pop() if idle else self._make(mount)

    def take_back(self, lent: Sequence[tuple[str, MountedHost]]) -> None:
        """Clean up what can be lent again of hosts by their mounts."""
        for mount, host in self.as_made(lent):
            self._clean(host)
            self._idle[mount].append(host)

    def _make(self, mount: str) -> MountedHost:
        instance = self._cloud.make_instance()
        volume = self._cloud.make_volume(instance, DEVICE, mount)
        attached = _attached(self._described([instance])[instance])
        return MountedHost(instance, volume, self._cloud.host_path(instance, mount), attached)

    def as_made(self, lent: Sequence[tuple[str, MountedHost]]) -> list[tuple[str, MountedHost]]:
        """Those that run with their volume at its mount, and no other; the cloud is asked once for all of them."""
        found = self._described([host.instance for _, host in lent])
        sound = [(mount, host) for mount, host in lent if self._is_sound(host, found[host.instance])]
        kept = self._volumes_kept([host.volume for _, host in sound])
        return [(mount, host) for mount, host in sound if host.volume in kept]

    def _is_sound(self, host: MountedHost, found: dict[str, Any]) -> bool:
        mounted = host.folder.is_symlink() and host.folder.resolve() == self._cloud.volume_path(host.volume).resolve()
        return mounted and found["State"]["Name"] == "running" and _attached(found) == host.attached

    def _volumes_kept(self, volumes: list[str]) -> set[str]:
        """Those that nobody has asked to detach: they are mounted until they are let go of."""
        if not volumes:  # of no names, AWS describes all
            return set()
        found = self._cloud.client("ec2").describe_volumes(VolumeIds=volumes)["Volumes"]
        return {one["VolumeId"] for one in found if [at["State"] for at in one["Attachments"]] == ["attached"]}

    def _described(self, instances: list[str]) -> dict[str, dict[str, Any]]:
        if not instances:
            return {}
        answer = self._cloud.client("ec2").describe_instances(InstanceIds=instances)
        return {one["InstanceId"]: one for reservation in answer["Reservations"] for one in reservation["Instances"]}

    def _clean(self, host: MountedHost) -> None:
        """Empty the volume, and the host but for its mount point."""
        _empty(self._cloud.volume_path(host.volume))
        root = self._cloud.host_path(host.instance)
        for device in (root / "dev").iterdir():
            if not device.is_symlink():  # a disk of a test's own making, which no volume shows
                device.unlink()
        mount_point = host.folder.relative_to(root)
        for folder in (root, *(root / parent for parent in list(mount_point.parents)[:-1])):
            _empty(folder, but=(*_OF_THE_LAB, *mount_point.parts))


def _attached(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Every device of a host and its volume."""
    return tuple((one["DeviceName"], one["Ebs"]["VolumeId"]) for one in found["BlockDeviceMappings"])


class Loan:
    """What one borrower has of all hosts."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._lent: list[tuple[str, MountedHost]] = []

    def lend(self, mount: str) -> MountedHost:
        """A host with an empty volume mounted there, for this borrower alone."""
        host = self._hosts.take(mount)
        self._lent.append((mount, host))
        return host

    def are_as_made(self) -> bool:
        """Whether each of them still runs with its volume at its mount, and no other."""
        return self._hosts.as_made(self._lent) == self._lent

    def forget_lent(self) -> None:
        """Whatever was borrowed is not fit to be lent again."""
        self._lent.clear()

    def give_back(self) -> None:
        """The borrower needs them no more."""
        self._hosts.take_back(self._lent)
        self._lent.clear()


def _empty(folder: Path, but: tuple[str, ...] = ()) -> None:
    for found in folder.iterdir():
        if found.name in but:
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()


@pytest.fixture(scope="session")
def all_hosts(lab_cloud_server: LabCloud) -> Hosts:
    """The hosts of all tests of a process; take `hosts` instead, which gives back what a test has borrowed."""
    return Hosts(lab_cloud_server)


@pytest.fixture
def hosts(lab_cloud: LabCloud, all_hosts: Hosts) -> Iterator[Loan]:
    """Hosts with a mounted volume, as empty as new ones, for the test alone."""
    loan = Loan(all_hosts)
    yield loan
    lab_cloud.ensure_running()
    lab_cloud.clear_faults()
    loan.give_back()
