"""Tenants that live side by side: many may share a volume, none another one's folder or database.

A restore makes a tenant's folder the same as it was: whatever of another tenant lived in it would be gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from include.rules.register.paths import is_windows
from include.rules.register.tenants import Platform, Tenant

Folder = tuple[str, ...]
"""A folder on a volume: its parts, seen from the volume's root; empty for the root itself."""


def clashes(tenants: Iterable[Tenant]) -> dict[str, list[str]]:
    """What of a tenant is another one's, too, by tenant: folders on web volumes, and databases."""
    every = list(tenants)
    found = defaultdict[str, list[str]](list)
    for volume, folders in _folders_by_volume(every).items():
        for folder, owners in folders.items():
            for outer, others in _around(folder, folders).items():
                _note_folders(found, volume, (folder, owners), (outer, others))
    for inside, outside in _databases_in_folders(every):
        volume = inside.database.volume
        found[outside.id].append(
            f"folder {outside.web.path} is all of volume {volume}, with the database of {inside.id}"
        )
        found[inside.id].append(f"its database is on volume {volume}, all of which is the folder of {outside.id}")
    for database, sharers in _databases(every).items():
        if len(sharers) > 1:
            for tenant in sharers:
                found[tenant].append(f"database {database} is named by {' and '.join(sharers)}")
    return dict(found)


def have_folders_in_common(one: Tenant, other: Tenant) -> bool:
    """True when both folders are on one volume, and one of them is the other or lies in it."""
    if one.web.volume != other.web.volume:
        return False
    caseless = ignores_case(one) or ignores_case(other)
    first, second = (_folder(tenant, caseless=caseless) for tenant in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _folders_by_volume(tenants: Iterable[Tenant]) -> dict[str, dict[Folder, list[Tenant]]]:
    """Who has which folder, by volume; without regard to case where one of its hosts has none."""
    by_volume = defaultdict[str, list[Tenant]](list)
    for tenant in tenants:
        by_volume[tenant.web.volume].append(tenant)
    folders: dict[str, dict[Folder, list[Tenant]]] = {}
    for volume, sharers in by_volume.items():
        of_volume = defaultdict[Folder, list[Tenant]](list)
        caseless = any(ignores_case(tenant) for tenant in sharers)
        for tenant in sorted(sharers, key=lambda one: one.id):
            of_volume[_folder(tenant, caseless=caseless)].append(tenant)
        folders[volume] = dict(of_volume)
    return folders


def ignores_case(tenant: Tenant) -> bool:
    """Whether two names that differ in case are one folder on the tenant's web host."""
    return tenant.web.platform is Platform.WINDOWS or is_windows(tenant.web.path)


def folder_parts(folder: str, *, caseless: bool) -> Folder:
    """A folder's parts, as they compare with those of others of its volume; none for the root (".")."""
    parts = PurePosixPath(folder).parts
    # Windows takes no notice of dots and spaces at the end of a name either.
    return tuple(part.casefold().rstrip(". ") or part for part in parts) if caseless else parts


def _folder(tenant: Tenant, *, caseless: bool) -> Folder:
    return folder_parts(tenant.web.path_on_volume or ".", caseless=caseless)


def _around(folder: Folder, folders: Mapping[Folder, list[Tenant]]) -> dict[Folder, list[Tenant]]:
    """The folders in which this one lies, and itself."""
    outer = (folder[:depth] for depth in range(len(folder) + 1))
    return {one: folders[one] for one in outer if one in folders}


def _note_folders(
    found: dict[str, list[str]],
    volume: str,
    inner: tuple[Folder, list[Tenant]],
    outer: tuple[Folder, list[Tenant]],
) -> None:
    (inner_folder, insiders), (outer_folder, outsiders) = inner, outer
    for inside in insiders:
        for outside in outsiders:
            if inside.id == outside.id:
                continue
            if inner_folder == outer_folder:
                what = f"folder {inside.web.path} on volume {volume} is named by {outside.id}, too"
                found[inside.id].append(what)
                continue
            found[inside.id].append(
                f"folder {inside.web.path} on volume {volume} lies in {outside.web.path} of {outside.id}"
            )
            found[outside.id].append(
                f"folder {outside.web.path} on volume {volume} holds {inside.web.path} of {inside.id}"
            )


def _databases_in_folders(tenants: Iterable[Tenant]) -> list[tuple[Tenant, Tenant]]:
    """Whose database lies on a volume all of which is a folder, and whose folder that is."""
    every = list(tenants)
    whole = {tenant.web.volume: tenant for tenant in every if tenant.web.path_on_volume == "."}
    return [(one, whole[one.database.volume]) for one in every if one.database.volume in whole]


def _databases(tenants: Iterable[Tenant]) -> dict[str, list[str]]:
    """Who names which database, on which server; most servers compare names without regard to case."""
    named = defaultdict[str, list[str]](list)
    for tenant in sorted(tenants, key=lambda one: one.id):
        named[f"{tenant.database.name} on {tenant.database.connection}".lower()].append(tenant.id)
    return dict(named)
