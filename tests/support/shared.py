"""Recovery points of several tenants on the same shared snapshots, put into a `Stock` as backups would leave them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import uuid4

from include.rules.points.claim_ids import claim_id
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotPart, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from perennial.hooks.aws.ebs_items import CLAIM_TAG, VAULT_TAG, VOLUME_TAG
from tests.support.retention import NOW, Stock


def two_of_today(stock: Stock, points: int = 1) -> Stock:
    """Two tenants on a policy of three days, each with so many points of its own until today."""
    stock.register("acme", "globex", daily=3, weekly=0, monthly=0, yearly=0)
    for tenant in stock.tenants:
        stock.add_daily(NOW, points, tenant=tenant)
    return stock


def snapshot_of(stock: Stock, volume: str, claim: str) -> str:
    """A snapshot that carries the tags of a claim."""
    tags = {VAULT_TAG: stock.vault.settings.vault, VOLUME_TAG: volume, CLAIM_TAG: claim}
    answer = stock.ec2.create_snapshot(
        VolumeId=volume,
        TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return str(answer["SnapshotId"])


def add_shared(stock: Stock, time: datetime, *, number: int = 1, **changes: Any) -> SharedSnapshot:
    """A shared snapshot of that moment which nobody uses yet; `changes` overrides fields of its document."""
    volume = changes.pop("volume", None) or next(stock.volumes)
    claim, nonce = claim_id(time.date(), number), uuid4().hex
    document = SharedSnapshot(
        volume=volume,
        id=claim,
        nonce=nonce,
        state=ShareState.STARTED,
        owner="test/tenant_backup/seed",
        claimed_at=time,
        snapshot_id=snapshot_of(stock, volume, f"{claim}.{nonce}"),
        started_at=time,
        size_gib=8,
    )
    stock.run(stock.vault.shared_snapshots.create(document.model_copy(update=changes)))
    return current(stock, document)


def join(stock: Stock, document: SharedSnapshot, *points: Manifest, token: int = 0) -> None:
    """Put points on the list."""
    users = [SnapshotUser(tenant=point.tenant, point=point.id, token=token) for point in points]
    stock.run(stock.vault.change_shared_snapshot(document.volume, document.id, lambda d: d.joined(users)))


def add_sharing(
    stock: Stock, time: datetime, tenants: Iterable[str] = ("acme", "globex"), **changes: Any
) -> tuple[list[Manifest], list[SharedSnapshot]]:
    """A point of each tenant of that moment, all on the same two shared snapshots; `changes` as of `Stock.add`."""
    shared = {role: add_shared(stock, time) for role in SnapshotRole}
    points = [use(stock, stock.add(time, tenant=tenant, roles=(), **changes), shared) for tenant in tenants]
    return points, [current(stock, document) for document in shared.values()]


def use(stock: Stock, point: Manifest, shared: dict[SnapshotRole, SharedSnapshot]) -> Manifest:
    """Let a point without snapshots use these."""

    def using(manifest: Manifest) -> Manifest:
        for role, document in shared.items():
            assert document.snapshot_id
            assert document.started_at
            part = SnapshotPart(
                snapshot_id=document.snapshot_id,
                volume_id=document.volume,
                started_at=document.started_at,
                size_gib=8,
                claim=document.id,
            )
            manifest = manifest.with_snapshot(role, part)
        return manifest.model_copy(update={"left_out": {}})

    for document in shared.values():
        join(stock, document, point)
    changed: Manifest = stock.run(stock.vault.change_point(point.tenant, point.id, using))
    return changed


def find(stock: Stock, document: SharedSnapshot) -> SharedSnapshot | None:
    """The document as it stands; None once it has gone."""
    version = stock.run(stock.vault.shared_snapshot(document.volume, document.id))
    return version.value if version else None


def current(stock: Stock, document: SharedSnapshot) -> SharedSnapshot:
    """The document as it stands."""
    found = find(stock, document)
    assert found, f"shared snapshot {document.id} of {document.volume} has gone"
    return found


def users(stock: Stock, document: SharedSnapshot) -> list[str]:
    """Recovery points on the list."""
    return [user.point for user in current(stock, document).users]


def is_there(stock: Stock, document: SharedSnapshot) -> bool:
    """Whether AWS still shows its snapshot."""
    return document.snapshot_id in stock.snapshots()


def assert_gone(stock: Stock, *documents: SharedSnapshot) -> None:
    """Neither a snapshot nor a document is left of them."""
    for document in documents:
        assert find(stock, document) is None
        assert not is_there(stock, document)
        assert stock.keys(f"shared-snapshots/{document.volume}/{document.id}.json") == []
