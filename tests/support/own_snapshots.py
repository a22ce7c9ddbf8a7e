"""Snapshots of one recovery point alone, as manifests of versions 1 and 2 have them."""

from __future__ import annotations

from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from perennial.hooks.aws.ebs_items import PART_TAG, POINT_TAG, TENANT_TAG


def snapshot_tags(manifest: Manifest, role: SnapshotRole) -> dict[str, str]:
    """Their tags, but for the vault's: the tenant's, those to find them by, and when the volume was seen."""
    look = manifest.looks.get(PartName(role))
    return {
        **manifest.source.tags,
        **({"perennial:looked-at": look.at.isoformat()} if look else {}),
        "Name": f"{manifest.id} {role.value}",
        TENANT_TAG: manifest.tenant,
        "perennial:kind": manifest.kind.value,
        POINT_TAG: manifest.id,
        PART_TAG: role.value,
    }
