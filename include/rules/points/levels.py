"""How far a recovery point can be proven, by what was seen of its volumes before their snapshots were taken."""

from __future__ import annotations

from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole


def not_looked_at(manifest: Manifest) -> dict[PartName, str]:
    """Snapshots whose volume could not be looked at before they were taken, and why not.

    Of a point from before there were looks nothing is known: none of its snapshots is in it.
    """
    looks = {name: manifest.looks[name] for name in manifest.parts.names if name in manifest.looks}
    return {name: look.not_looked_at for name, look in looks.items() if look.not_looked_at}


def provable_level(manifest: Manifest) -> int:
    """The level to which a point is proven once its .bak has been read back (docs/vault.md has the levels).

    A snapshot whose volume nobody has seen may be of nothing that the tenant uses.
    """
    snapshots = {PartName(role) for role in SnapshotRole if manifest.snapshot(role)}
    return 2 if snapshots <= manifest.looks.keys() - not_looked_at(manifest).keys() else 1
