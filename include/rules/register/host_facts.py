"""What AWS and a host say of volumes and folders, as values; `volumes` judges them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attachment:
    """One attachment of a volume; `state` is attaching, attached, detaching or busy, `device` as in `/dev/sdf`."""

    instance: str
    device: str
    state: str


@dataclass(frozen=True)
class Disk:
    """One disk of a host, by the host's name for it (`nvme1n1`); `serial` is empty where the host shows none."""

    name: str
    serial: str

    @property
    def volume(self) -> str:
        """The EBS volume that the serial number names; empty when it names none.

        Hosts write it as `vol0123`, `vol0123_00000001`, or, by an older udev, `Amazon_Elastic_Block_Store_vol0123`.
        """
        found = re.search(r"(?:^|[_ ])vol-?([0-9a-f]+)", self.serial.lower())
        return f"vol-{found[1]}" if found else ""

    @property
    def is_of_host(self) -> bool:
        """True for an instance store, which is no EBS volume: its serial number begins with AWS."""
        return self.serial.startswith("AWS")

    def __str__(self) -> str:
        return f"volume {self.volume}" if self.volume else f"disk {self.name}"


@dataclass(frozen=True)
class PlaceFacts:
    """What a host says of one path.

    Attributes:
        kind: "folder", "other" (something that is no folder), or "nothing".
        empty: True when nothing is in the folder but a restore's marker and what file systems put into their root.
        real: The path without symbolic links.
        mount: Where the file system is mounted that is really seen there.
        root: Which folder of that file system shows at `mount`: "/" for all of it.
        source: What is mounted, for instance `/dev/nvme1n1p1` or `tmpfs`.
        filesystem: Its type.
        disks: The disks that it lies on; none for what is in memory or on the network.
        below: A mount point below it, relative to it, where another disk shows; empty when there is none.
    """

    kind: str
    empty: bool = False
    real: str = ""
    mount: str = ""
    root: str = "/"
    source: str = ""
    filesystem: str = ""
    disks: tuple[Disk, ...] = ()
    below: str = ""

    @property
    def lies_on(self) -> str:
        """What it lies on, for messages."""
        return " and ".join(str(disk) for disk in self.disks) or self.source or "an unknown disk"


@dataclass(frozen=True)
class HostFacts:
    """What was seen of a host.

    Attributes:
        volumes: The attachments of each volume that was asked about; None for one that AWS does not show.
        places: What the host says of each path that it was asked about.
        silent: Why the host could not be asked; empty when it could.
    """

    volumes: Mapping[str, tuple[Attachment, ...] | None] = field(default_factory=dict)
    places: Mapping[str, PlaceFacts] = field(default_factory=dict)
    silent: str = ""
