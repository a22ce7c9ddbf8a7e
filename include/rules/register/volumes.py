"""Whether a tenant's volumes are what the register says of them, judged by what AWS and the hosts say.

A snapshot shows whatever is on a volume. So a recovery point is worth something only if the volume is the one that the
host works on: attached to it, mounted where the register says, with the tenant's folder or the database's files on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from include.rules.register.findings import Finding, Weight
from include.rules.register.host_facts import Disk, HostFacts, PlaceFacts
from include.rules.register.paths import folder_of, is_below, is_windows, pure
from include.rules.register.tenants import DatabaseHost, WebHost

UNTRACEABLE = frozenset({"zfs"})
"""File systems that do not say which disks they lie on."""


def folders_to_look_at(host: WebHost | DatabaseHost, files: Iterable[str] = ()) -> frozenset[str]:
    """The folders that a host is asked about to judge a volume.

    Args:
        files: Paths of the database's files.
    """
    own = (host.mount, host.path) if isinstance(host, WebHost) else (host.mount,)
    return frozenset({*(folder for folder in own if folder), *map(folder_of, files)})


def judge_web_volume(
    web: WebHost, seen: HostFacts, *, neighbour: str = "", may_be_empty: bool = False, may_be_missing: bool = False
) -> tuple[Finding, ...]:
    """Judge the volume of a tenant's web files.

    Args:
        neighbour: Another tenant whose ground on the volume the folder is in, as `folder_on_volume` has it.
        may_be_empty: Whether the plan lets the tenant's folder be empty.
        may_be_missing: Whether the folder may be missing or empty, because there is nothing to lose then.
    """
    if found := _attached("web", web, seen) or _mounted("web", web, web.mount, seen):
        return found
    place, where = seen.places[web.path], f"{web.path} on {web.instance}"
    said, empty = f"web.path is {web.path}", may_be_empty or may_be_missing
    if place.kind == "nothing":
        todo = "Correct web.path in tenants.yaml, or bring the folder back."
        return (Finding(_weight(may_be_missing), f"there is no folder {where}", said, todo),)
    if place.kind != "folder":
        return (Finding(Weight.DIFFERENCE, f"{where} is no folder", said, "Correct web.path in tenants.yaml."),)
    if found := _on_volume(where, web, place, seen, f"web.volume is {web.volume}"):
        return found
    if neighbour:
        fact = f"{where} leads to {place.real}, which is not this tenant's alone: {neighbour} lives there"
        todo = "Lead the link to the tenant's own files, and find out who has changed it; or correct web.path."
        return (Finding(Weight.DIFFERENCE, fact, said, todo),)
    if place.empty:
        todo = "Correct web.path, or allow it in the plan (`allow_empty_folder`)."
        return (Finding(_weight(empty), f"the folder {where} is empty", said, todo),)
    if place.below:
        fact = f"another disk is mounted on {place.below} in {where}: what lies there is in no backup of it"
        todo = "Keep it by other means; a restore in place refuses until it is unmounted, or takes paths beside it."
        return (Finding(Weight.NOTE, fact, todo=todo),)
    return ()


def folder_on_volume(web: WebHost, seen: HostFacts) -> str:
    """Where the tenant's folder is on its volume, seen from the volume's root, when it is not where its path says.

    Links are followed, and folders that show in another place (bind mounts). On a copy of the volume neither leads
    there any more: a link that names the whole path leads to today's files, and below a mount lies what it hides.
    Empty where the path says it, and where nobody has seen it.
    """
    place = seen.places.get(web.path)
    if place is None or place.kind != "folder" or not is_below(place.real, place.mount):
        return ""
    windows = is_windows(web.path)
    real, mount = (PurePosixPath(path.replace("\\", "/") if windows else path) for path in (place.real, place.mount))
    folder = str(PurePosixPath(place.root.lstrip("/"), *real.parts[len(mount.parts) :]))
    said = str(web.path_on_volume)
    same = folder.lower() == said.lower() if windows else folder == said
    return "" if same else folder


def judge_database_volume(
    database: DatabaseHost, seen: HostFacts, files: Iterable[str] | None, *, silent: str = ""
) -> tuple[Finding, ...]:
    """Judge the volume of a tenant's database.

    Args:
        files: Paths of the database's own files, as its server names them; None when it could not be asked.
        silent: Why it could not.
    """
    if found := _attached("database", database, seen) or _mounted("database", database, database.mount, seen):
        return found
    findings = []
    if database.mount is None:
        findings.append(
            Finding(
                Weight.NOTE,
                f"where volume {database.volume} is mounted is not in the register",
                todo="Write it into database.mount: without it no database comes back from a snapshot of the volume.",
            )
        )
    paths = tuple(files or ())
    if not paths:
        reason = silent or f"the server shows no files of database {database.name} to the login"
        todo = f"Check the connection {database.connection} and its rights (README, first steps)."
        return (*findings, Finding(Weight.NOT_LOOKED_AT, reason, todo=todo))
    outside = [path for path in paths if database.mount and not is_below(path, database.mount)]
    if outside:
        fact = f"files of database {database.name} lie elsewhere: {', '.join(outside)}"
        todo = "Move them to the volume, or name the volume that all files of the database lie on."
        findings.append(Finding(Weight.DIFFERENCE, fact, f"database.mount is {database.mount}", todo))
    folders = dict.fromkeys(folder_of(path) for path in paths if path not in outside)
    return (*findings, *(one for folder in folders for one in _folder_of_files(folder, database, seen)))


def _folder_of_files(folder: str, database: DatabaseHost, seen: HostFacts) -> tuple[Finding, ...]:
    """What is wrong with a folder that holds files of the database."""
    where, place = f"{folder} on {database.instance}", seen.places[folder]
    if place.kind != "folder":
        fact = f"there is no folder {where}, and files of database {database.name} lie in it"
        todo = "Correct database.instance in tenants.yaml; or drop the database, where its files are lost."
        return (Finding(Weight.DIFFERENCE, fact, f"database.instance is {database.instance}", todo),)
    return _on_volume(where, database, place, seen, f"database.volume is {database.volume}")


def _attached(half: str, host: WebHost | DatabaseHost, seen: HostFacts) -> tuple[Finding, ...]:
    """What is wrong with the attachment of a volume; and that the host could not be asked, if it could not."""
    attachments = seen.volumes.get(host.volume)
    here = next((one for one in attachments or () if one.instance == host.instance), None)
    if here is None or here.state != "attached":
        if attachments is None:
            fact = f"AWS shows no volume {host.volume}"
        elif here:
            fact = f"volume {host.volume} is {here.state}, at {host.instance}"
        else:
            others = " and ".join(f"{one.instance} ({one.state})" for one in attachments)
            fact = f"volume {host.volume} is attached to {others or 'nothing'}"
        said = f"{half}.volume is {host.volume}, at {half}.instance {host.instance}"
        todo = f"Correct {half}.volume and {half}.instance in tenants.yaml, or attach the volume."
        return (Finding(Weight.DIFFERENCE, fact, said, todo),)
    if seen.silent:
        todo = "Check that the host runs and that its SSM agent is online."
        return (Finding(Weight.NOT_LOOKED_AT, seen.silent, todo=todo),)
    return ()


def _mounted(half: str, host: WebHost | DatabaseHost, mount: str | None, seen: HostFacts) -> tuple[Finding, ...]:
    """What is wrong with the mount of a volume."""
    if mount is None:
        return ()
    place, where, said = seen.places[mount], f"{mount} of {host.instance}", f"{half}.mount is {mount}"
    todo = f"Mount the volume there, or correct {half}.mount and {half}.volume in tenants.yaml."
    if place.kind != "folder":
        return (Finding(Weight.DIFFERENCE, f"nothing is mounted on {where}: there is no such folder", said, todo),)
    if pure(place.real) != pure(place.mount):
        fact = f"nothing is mounted on {where}: it is a folder of {place.lies_on}"
        return (Finding(Weight.DIFFERENCE, fact, said, todo),)
    if found := _on_volume(where, host, place, seen, f"{half}.volume is {host.volume}"):
        return found
    if place.root != "/":
        fact = f"{where} shows the folder {place.root} of volume {host.volume}, not all of it"
        return (Finding(Weight.DIFFERENCE, fact, said, f"Write the volume's own mount point into {half}.mount."),)
    return ()


def _on_volume(
    where: str, host: WebHost | DatabaseHost, place: PlaceFacts, seen: HostFacts, said: str
) -> tuple[Finding, ...]:
    """What is wrong with the disks that a place lies on."""
    devices = [one.device for one in seen.volumes[host.volume] or () if one.instance == host.instance]
    shown = [_shows(disk, host.volume, devices) for disk in place.disks]
    if shown == [True]:
        return ()
    if None in shown or place.filesystem in UNTRACEABLE:
        fact = f"{host.instance} does not say which volume {place.source} is, where {where} lies"
        return (Finding(Weight.NOT_LOOKED_AT, fact, todo="Look by hand; hosts of the Nitro system show it."),)
    way = f" (it is really {place.real})" if place.real and pure(place.real) != pure(where.split(" ")[0]) else ""
    todo = "Correct the entry in tenants.yaml, or move the files to the volume."
    return (Finding(Weight.DIFFERENCE, f"{where} lies on {place.lies_on}{way}", said, todo),)


def _shows(disk: Disk, volume: str, devices: Iterable[str]) -> bool | None:
    """Whether a disk is the volume; None when it cannot be told.

    Hosts of the Xen system show no serial numbers: /dev/sdf is /dev/xvdf there, as a rule that has exceptions (EC2 user
    guide, "Device names for volumes"), so that another name proves nothing.
    """
    if disk.volume or disk.is_of_host:
        return disk.volume == volume
    if disk.serial:
        return None  # a number that nobody knows says nothing, neither way
    return True if _letters(disk.name) in {_letters(device) for device in devices} else None


def _letters(device: str) -> str:
    """What identifies a device in any of its names: "f" for /dev/sdf, xvdf and xvdf1."""
    return re.sub(r"^(sd|xvd)|\d+$", "", device.rpartition("/")[2])


def _weight(allowed: bool) -> Weight:
    return Weight.NOTE if allowed else Weight.DIFFERENCE
