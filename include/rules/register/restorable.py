"""Whether a host could do its part of a restore, judged by what it says of its programs and file systems."""

from __future__ import annotations

from dataclasses import dataclass

from include.rules.register.findings import Finding, Weight
from include.rules.register.tenants import DatabaseHost, Platform, WebHost

OLDEST_EXACT_RSYNC = (3, 1, 3)
"""The first version that compares times to the nanosecond (its NEWS: `--modify-window=-1`)."""

NO_COPY_BESIDE = {
    "btrfs": "a host cannot mount a copy of btrfs beside the original: both have one id",
    "zfs": "ZFS shows no copy of a pool beside the original",
}
"""File systems of which a host cannot read a volume made from a snapshot, and why."""


@dataclass(frozen=True)
class HostTools:
    """What a host says of itself (include/scripts/inspect_host.sh)."""

    missing: tuple[str, ...]
    finds_disks: bool
    rsync: str
    file_system: str
    device: str
    free_letter: bool = True


def judge_tools(host: WebHost | DatabaseHost, tools: HostTools) -> tuple[Finding, ...]:
    """What would keep a restore from reading a volume on this host, or from checking what it has copied."""
    name, found = host.instance, []
    if tools.missing:
        todo = "Install them: a restore refuses to begin without them."
        found.append(_difference(f"host {name} lacks what a restore needs: {', '.join(tools.missing)}", todo))
    if not tools.finds_disks:
        todo = "Update util-linux to 2.23 or later."
        found.append(_difference(f"host {name} does not say which disk is which (lsblk)", todo))
    if not tools.free_letter:
        todo = "Free one: the volume from a snapshot needs it."
        found.append(_difference(f"host {name} has no free drive letter", todo))
    if why := _no_copy_beside(host, tools):
        todo = (
            "Move it to ext4, xfs or NTFS on a disk or a partition of its own; until then its files cannot be restored."
        )
        found.append(_difference(f"{why} ({tools.device} of host {name})", todo))
    if host.platform is Platform.LINUX and _version(tools.rsync) < OLDEST_EXACT_RSYNC:
        what = f"rsync {tools.rsync}, which compares whole seconds" if tools.rsync else "no rsync"
        todo = "Install rsync 3.1.3 or later; until then a copy is compared with fewer of its attributes."
        found.append(Finding(Weight.NOTE, f"host {name} has {what}", todo=todo))
    return tuple(found)


def _no_copy_beside(host: WebHost | DatabaseHost, tools: HostTools) -> str:
    if host.platform is Platform.LINUX and tools.device.startswith(("/dev/mapper/", "/dev/dm-")):
        return "LVM and other mapped devices have ids that a copy would share with the original"
    return NO_COPY_BESIDE.get(tools.file_system, "")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _difference(fact: str, todo: str) -> Finding:
    return Finding(Weight.DIFFERENCE, fact, todo=todo)
