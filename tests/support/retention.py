"""The fixture `stock`: a vault in the lab with recovery points of any age, made of real snapshots and objects.

Their backups were never made: a manifest, two snapshots and a .bak of some bytes are put where a backup would have put
them. Retention does not look further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from include.rules.backup.attempts import first_attempt
from include.rules.points.backup_files import BackupFilePart, file_names
from include.rules.points.manifest import Expiry, Manifest, Verification
from include.rules.points.parts import PartName, SnapshotPart, SnapshotRole
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.retention.lost_parts import YOUNG
from include.rules.retention.reports import FleetReport
from lab.testing.cloud import LabCloud
from lab.testing.storage import LabStorage
from perennial.hooks.aws.clients import close_clients
from perennial.hooks.aws.ebs_items import CLAIM_TAG, POINT_TAG, VAULT_TAG
from perennial.hooks.register import read_register
from perennial.hooks.vault.backup_files import point_prefix
from perennial.hooks.vault.vault import Vault
from perennial.retention.fleet import Retention
from perennial.settings import Settings
from tests.support.own_snapshots import snapshot_tags
from tests.support.vaults import set_vault
from tests.unit.builders import tenant_entry

NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = datetime(2026, 4, 14, 2, 0, tzinfo=UTC)
"""A Tuesday that stands for no week, month or year once there are later points."""
VOLUMES = 12
"""Snapshots of one volume that are pending at the same time are limited, as on AWS: the lab takes turns."""


@dataclass
class Stock:
    """A vault, a register, and what is in EBS for them."""

    cloud: LabCloud
    storage: LabStorage
    config: Path
    runner: asyncio.Runner
    volumes: Iterator[str]
    policy: dict[str, Any] = field(default_factory=dict)
    tenants: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ec2, self.s3 = self.cloud.client("ec2"), self.storage.client()

    @property
    def vault(self) -> Vault:
        return Vault(Settings.from_environment())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def register(self, *tenants: str, **policy: Any) -> None:
        """Write the register: these tenants, on a plan with this policy (and the defaults)."""
        self.tenants, self.policy = list(tenants), policy or self.policy
        plan = {"cadence": "daily", "manual_backups_per_month": 10, "rpo_hours": 26, "retention": self.policy}
        (self.config / "plans.yaml").write_text(yaml.safe_dump({"plans": {"standard": plan}}))
        entries = [tenant_entry(tenant, number) for number, tenant in enumerate(self.tenants, start=1)]
        (self.config / "tenants.yaml").write_text(yaml.safe_dump({"tenants": entries}))

    def read_register(self) -> Register:
        read: Register = self.run(read_register(Settings.from_environment()))
        return read

    def retain(self, now: datetime = NOW, run_id: str = "run-1", **options: Any) -> FleetReport:
        """One run of retention over the whole fleet, at that moment."""
        retention = Retention(self.vault, self.read_register(), f"test/retention/{run_id}", now)
        report: FleetReport = self.run(retention.run_for_fleet(**options))
        return report

    def add(self, time: datetime, *, kind: str = "daily", tenant: str = "acme", **changes: Any) -> Manifest:
        """Put a verified recovery point of that moment into the vault; `changes` overrides fields of its manifest,
        `roles` which snapshots and `stripes` how many files it has.
        """
        request = BackupRequest.parse(f"{tenant}|{kind}|{time.isoformat()}")
        entry = self.read_register().tenants.get(tenant) or next(iter(self.read_register().tenants.values()))
        manifest = first_attempt(request, entry, owner="test/tenant_backup/seed", token=0, now=time)
        roles = changes.pop("roles", list(SnapshotRole))
        changes = {
            "left_out": {PartName(role): "a small point" for role in SnapshotRole if role not in roles},
            **changes,
        }
        for role in roles:
            manifest = manifest.with_snapshot(role, self.add_snapshot(manifest, role, time))
        manifest = manifest.with_claim(point_prefix(tenant, manifest.id), time, stripes=changes.pop("stripes", 1))
        manifest = manifest.with_backup_file(self._bak(manifest, time)).complete()
        if changes.get("state") is not State.PENDING:
            manifest = manifest.verified(Verification(level=2, at=time, checks=("seeded",)))
        manifest = manifest.closed(time).model_copy(update=changes)
        written: Manifest = self.run(self.vault.points.create(manifest)).value
        return written

    def add_daily(self, newest: datetime, count: int, **options: Any) -> list[Manifest]:
        """Daily points of consecutive days at two in the morning, the newest first: that of the day of `newest`, a
        moment by which a point of two o'clock is of age.
        """
        first = newest.replace(hour=2, minute=0)
        assert newest - first >= YOUNG, f"at {newest} retention takes the day's point for young, or for one to come"
        return [self.add(first - number * DAY, **options) for number in range(count)]

    def add_expiring(self, time: datetime, marked_at: datetime, **options: Any) -> Manifest:
        """A point in its grace period."""
        return self.add(
            time, state=State.EXPIRING, expiry=Expiry(marked_at=marked_at, previous_state=State.VERIFIED), **options
        )

    def add_snapshot(
        self, manifest: Manifest, role: SnapshotRole, time: datetime, vault: str | None = None
    ) -> SnapshotPart:
        """A snapshot with the tags of the point's part, in this vault or another one; of that part's volume."""
        tags = {**snapshot_tags(manifest, role), VAULT_TAG: vault or self.vault.settings.vault}
        part = manifest.snapshot(role)
        volume = part.volume_id if part else next(self.volumes)
        answer = self.ec2.create_snapshot(
            VolumeId=volume,
            TagSpecifications=[
                {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ],
        )
        return SnapshotPart(snapshot_id=answer["SnapshotId"], volume_id=volume, started_at=time, size_gib=8)

    def add_file(self, manifest: Manifest, name: str) -> str:
        """Bytes beside the manifest; returns their key."""
        key = point_prefix(manifest.tenant, manifest.id) + name
        place = self.vault.documents
        self.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"backup of " + name.encode())
        return key

    def _bak(self, manifest: Manifest, time: datetime) -> BackupFilePart:
        assert manifest.claim
        for name in file_names(manifest.claim.number, len(manifest.claim.keys)):
            self.add_file(manifest, name)
        files = self.run(self.vault.backup_files(manifest.claim.keys))
        return BackupFilePart(
            number=1,
            files=tuple(files),
            name=manifest.claim.name,
            backup_set_uuid=str(uuid4()),
            first_lsn="1",
            last_lsn="2",
            copy_only=False,
            started_at=time,
            finished_at=time,
        )

    def manifest(self, point: Manifest) -> Manifest | None:
        """The point's manifest as it stands; None when it has gone."""
        version = self.run(self.vault.points.get(point.tenant, point.id))
        return version.value if version else None

    def state(self, point: Manifest) -> str:
        """The point's state; `gone` once only its tombstone is left."""
        manifest = self.manifest(point)
        if manifest:
            return str(manifest.state)
        assert self.run(self.vault.tombstones.get(point.tenant, point.id)), f"{point.id} has left no tombstone"
        return "gone"

    def snapshots(self, vault: str | None = None) -> dict[str, str]:
        """All snapshots of this vault (or another one): recovery point, or claim, by snapshot id."""
        filters = [{"Name": "tag:perennial:vault", "Values": [vault or self.vault.settings.vault]}]
        snapshots = self.ec2.describe_snapshots(Filters=filters, OwnerIds=["self"])["Snapshots"]
        return {
            one["SnapshotId"]: next(tag["Value"] for tag in one["Tags"] if tag["Key"] in (POINT_TAG, CLAIM_TAG))
            for one in snapshots
        }

    def keys(self, prefix: str = "recovery-points/") -> list[str]:
        """Every key in the vault below a prefix, versions and delete markers included."""
        place = self.vault.documents
        pages = self.s3.get_paginator("list_object_versions").paginate(
            Bucket=place.bucket, Prefix=place.prefix + prefix
        )
        return [
            item["Key"].removeprefix(place.prefix)
            for page in pages
            for item in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        ]

    def everything(self) -> tuple[dict[str, str], list[str]]:
        """All snapshots and all keys: what must not change where retention has stopped."""
        return self.snapshots(), sorted(self.keys())

    def remaining_parts(self, point: Manifest) -> tuple[list[str], list[str]]:
        """Snapshots and keys that are left of a point."""
        snapshots = [one for one, name in self.snapshots().items() if name == point.id]
        return snapshots, self.keys(point_prefix(point.tenant, point.id))

    def change(self, point: Manifest, **changes: Any) -> None:
        """Change a manifest behind the back of retention."""
        self.run(self.vault.change_point(point.tenant, point.id, lambda m: m.model_copy(update=changes)))


@pytest.fixture(scope="session")
def volumes(lab_cloud_server: LabCloud) -> Iterator[str]:
    """Volumes to take snapshots of, in turn, for all tests of a process: nobody writes to them or deletes them."""
    lab_cloud_server.ensure_running()
    return cycle([lab_cloud_server.make_volume() for _ in range(VOLUMES)])


@pytest.fixture
def stock(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lab_cloud: LabCloud,
    lab_storage: LabStorage,
    volumes: Iterator[str],
    vault_bucket: str,
) -> Iterator[Stock]:
    """An empty vault and the tenant `acme` in its register."""
    url, cloud_url = lab_storage.settings.storage_url, lab_cloud.settings.cloud_url
    set_vault(monkeypatch, tmp_path, bucket=vault_bucket, s3=url, cloud=cloud_url, server=lab_storage.settings)
    with asyncio.Runner() as runner:
        stock = Stock(lab_cloud, lab_storage, tmp_path, runner, volumes)
        stock.register("acme")
        yield stock
        runner.run(close_clients())


@pytest.fixture
def fleet(stock: Stock) -> Stock:
    """A tenant on a policy of three days and nothing else."""
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    return stock
