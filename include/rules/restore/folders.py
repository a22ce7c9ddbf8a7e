"""Which folder a restore may write files to, and which paths in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.register.paths import is_windows, overlap
from include.rules.register.tenants import Platform, Tenant
from include.rules.restore.host_survey import FolderFacts
from include.rules.restore.request import RestoreRequest
from include.rules.restore.survey import Survey, not_restorable


def check_files(
    request: RestoreRequest,
    manifest: Manifest,
    target: Tenant,
    folder: str,
    survey: Survey,
    others: Mapping[str, Tenant],
    suggestion: str,
) -> None:
    """Refuse files that cannot come back, and another folder that is not the restore's to fill.

    Raises:
        RefusedError: with the reason.
    """
    unusable = survey.host.snapshots.get(SnapshotRole.WEB)
    if unusable:
        raise not_restorable(manifest, f"the files cannot come back: {unusable}", suggestion)
    if manifest.source.web.platform is not target.web.platform:
        was, now = manifest.source.web.platform, target.web.platform
        raise not_restorable(
            manifest, f"its files are from a {was} host, and {target.web.instance} runs {now}", suggestion
        )
    if request.folder is None:
        return
    if is_windows(folder) is not (target.web.platform is Platform.WINDOWS):
        raise not_restorable(
            manifest,
            f"{folder} is no path of {target.web.instance}, which runs {target.web.platform}",
            "Name a folder as that host writes it.",
        )
    for tenant in {**others, target.id: target}.values():
        if tenant.web.instance == target.web.instance and overlap(folder, tenant.web.path):
            raise not_restorable(
                manifest,
                f"the folder {folder} overlaps {tenant.web.path}, where tenant {tenant.id} lives",
                "Name a folder of its own, or leave it empty to restore in place.",
            )
    if survey.host.folder and 0 in (survey.host.folder.free_bytes, survey.host.folder.free_inodes):
        raise not_restorable(
            manifest, f"the disk of {folder} on {target.web.instance} is full", "Make room, or name a folder elsewhere."
        )
    if survey.host.folder and survey.host.folder.exists and not survey.host.folder.empty:
        raise not_restorable(
            manifest,
            f"the folder {folder} on {target.web.instance} is not empty, and what is in it would be gone",
            "Name a new folder.",
        )


def paths_for(request: RestoreRequest, target: Tenant) -> tuple[str, ...]:
    """The chosen paths with forward slashes; on Linux a backslash is a character of a name like any other."""
    if target.web.platform is Platform.LINUX:
        return request.paths
    return tuple(str(PurePosixPath(path.replace("\\", "/"))) for path in request.paths)


def check_folder(
    manifest: Manifest,
    target: Tenant,
    folder: str,
    paths: tuple[str, ...],
    facts: FolderFacts | None,
    foreign: Iterable[Tenant],
) -> None:
    """Refuse a folder that is not what its path says: a file, a way to another place, or partly on another disk.

    Args:
        paths: Only these files and folders are written, relative to `folder`; empty for all.
        facts: What its host says about it; None when nobody has looked.
        foreign: Tenants into whose folders no link may lead.

    Raises:
        RefusedError: which says what is in the way.
    """
    if facts is None:
        return
    if facts.no_folder:
        todo = "Move away what is there, or name another folder."
        raise not_restorable(manifest, f"{folder} on {target.web.instance} is no folder", todo)
    if not facts.writable:
        raise not_restorable(
            manifest,
            f"nothing can be written into {folder} on {target.web.instance} (a read-only file system, or a locked "
            "folder)",
            "Make it writable, or name another folder.",
        )
    if not facts.free_letter:
        raise not_restorable(
            manifest,
            f"host {target.web.instance} has no free drive letter for the volume with the files",
            "Free one, then start the restore again.",
        )
    for tenant in foreign if facts.leads_elsewhere(folder) else ():
        if tenant.web.instance == target.web.instance and overlap(facts.real, tenant.web.path):
            raise not_restorable(
                manifest,
                f"{folder} leads to {facts.real}, which overlaps {tenant.web.path}, where tenant {tenant.id} lives",
                "Change the symbolic link, or name another folder.",
            )
    for mount in facts.mounts:
        if not paths or any(overlap(mount, path) for path in paths):
            raise not_restorable(
                manifest,
                f"another disk is mounted on {mount} in {folder}, and its files, which the snapshot does not have, "
                "would be gone",
                "Unmount it for the restore, or restore only the paths that do not hold it.",
            )
