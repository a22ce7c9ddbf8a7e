"""Whose the folders of a web volume are: no tenant's own path may lead into what is another one's.

The register keeps folders apart by their paths. A path may be a link, though, which whoever deploys the site can lead
anywhere: the backup of one tenant would then be of another one's files, and its restore would hand them out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.rules.register.shared_volumes import Folder, folder_parts, ignores_case
from include.rules.register.tenants import Tenant


@dataclass(frozen=True)
class Grounds:
    """Who has which ground on one volume.

    A tenant's ground is the folder around its own (its releases, and what they share, lie beside `current`). Where that
    is the volume's root, or another tenant has a folder in it, too, the ground is its own folder alone.

    Attributes:
        case_matters: Whether two names that differ in case are two folders.
        owners: Whose ground a folder is.
        inside: Who has a folder in a folder, be it that very one; in the root all that live on the volume.
    """

    case_matters: bool
    owners: Mapping[Folder, str]
    inside: Mapping[Folder, frozenset[str]]

    @classmethod
    def of(cls, volume: str, tenants: Iterable[Tenant], *, led: tuple[str, str] | None = None) -> Grounds:
        """The grounds of those of the tenants that live on the volume, with their files or their databases.

        Args:
            led: A path on the volume, and the folder to which it leads there: a link on the way may be everybody's
                (`www` to `data/www`), so that others may have their grounds behind it, too.
        """
        every = [tenant for tenant in tenants if volume in (tenant.web.volume, tenant.database.volume)]
        sites = [tenant for tenant in every if tenant.web.volume == volume]
        caseless = any(map(ignores_case, sites))
        places = [(one.id, folder_parts(one.web.path_on_volume or ".", caseless=caseless)) for one in sites]
        if led:
            said, leads = _apart(*(folder_parts(folder, caseless=caseless) for folder in led))
            behind = [(name, leads + folder[len(said) :]) for name, folder in places if folder[: len(said)] == said]
            places += behind
        inside = defaultdict[Folder, set[str]](set, {(): {tenant.id for tenant in every}})
        for tenant, folder in places:
            for depth in range(len(folder) + 1):
                inside[folder[:depth]].add(tenant)
        owners = {_ground(folder, inside): tenant for tenant, folder in places}
        return cls(not caseless, owners, {folder: frozenset(those) for folder, those in inside.items()})

    def neighbour(self, tenant: Tenant, folder: str) -> str:
        """The other tenant whose ground a folder is, holds or lies in; empty where it is nobody's but the tenant's own.

        Whoever has the tenant's own folder is no other one: it goes by another name, or has come after it.

        Args:
            folder: As seen from the volume's root, with forward slashes; "." for the root itself.
        """
        own, parts = self._parts(tenant.web.path_on_volume or "."), self._parts(folder)
        those = self._owners_around(parts) | self.inside.get(parts, frozenset())
        return min(those - self._owners_around(own) - {tenant.id}, default="")

    def _parts(self, folder: str) -> Folder:
        return folder_parts(folder, caseless=not self.case_matters)

    def _owners_around(self, folder: Folder) -> frozenset[str]:
        """Whose ground the folder lies in, or is."""
        above = (folder[:depth] for depth in range(len(folder) + 1))
        return frozenset(self.owners[one] for one in above if one in self.owners)


def grounds_by_volume(tenants: Iterable[Tenant]) -> dict[str, Grounds]:
    """The grounds of every web volume."""
    living = defaultdict[str, list[Tenant]](list)
    for tenant in tenants:
        for volume in {tenant.web.volume, tenant.database.volume}:
            living[volume].append(tenant)
    webs = {one.web.volume for those in living.values() for one in those}
    return {volume: Grounds.of(volume, living[volume]) for volume in webs}


def _ground(folder: Folder, inside: Mapping[Folder, set[str]]) -> Folder:
    around = folder[:-1]
    return around if around and len(inside[around]) == 1 else folder


def _apart(one: Folder, other: Folder) -> tuple[Folder, Folder]:
    """Two paths without the parts in which both end."""
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return one, other
