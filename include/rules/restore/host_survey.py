"""What is found of hosts, folders and snapshots before a restore touches anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.rules.points.parts import SnapshotRole
from include.rules.register.paths import pure


@dataclass(frozen=True)
class FolderFacts:
    """What a host says about a folder; `files` and `bytes` are None when counting them took too long.

    Attributes:
        no_folder: True when something that is no folder has its name.
        real: Where it really is, when symbolic links lead to it; empty when the host did not say.
        mounts: Mount points below it, relative to it: other disks show there.
        free_bytes, free_inodes: Room for more on its disk, or on that of the nearest folder above it; None when its
            file system does not say, or makes as many files as it needs.
        writable: False when nothing can be written there.
        free_letter: False when a Windows host has no drive letter for a volume.
    """

    exists: bool
    empty: bool
    files: int | None
    bytes: int | None
    free_bytes: int | None
    no_folder: bool = False
    real: str = ""
    mounts: tuple[str, ...] = ()
    free_inodes: int | None = None
    writable: bool = True
    free_letter: bool = True

    def leads_elsewhere(self, folder: str) -> bool:
        """True when symbolic links lead from the path `folder` to another one."""
        return self.real != "" and pure(self.real) != pure(folder)


@dataclass(frozen=True)
class AttachedVolumes:
    """What AWS shows of the volumes of a host: where they, and so the host, are; and which names they occupy."""

    zone: str
    devices: frozenset[str]


@dataclass(frozen=True)
class HostSurvey:
    """What was found of the hosts and of what AWS holds.

    Attributes:
        folder: Of the folder the files go to; None when no files do.
        snapshots: Why a snapshot cannot be used, by role; those that can are not in it.
        site: Of the tenant's own folder, where the marker goes; None when nothing of the tenant is overwritten.
        volumes: Of the hosts that could get a volume, by instance; a host that shows none is not in it.
    """

    folder: FolderFacts | None = None
    snapshots: Mapping[SnapshotRole, str] = field(default_factory=dict)
    site: FolderFacts | None = None
    volumes: Mapping[str, AttachedVolumes] = field(default_factory=dict)
