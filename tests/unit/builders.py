"""Small valid values for the tests of the rules; each test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.rules.backup.attempts import first_attempt
from include.rules.points.backup_files import BackupFilePart, StoredFile
from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.manifest import Manifest, Verification
from include.rules.points.parts import SnapshotPart, SnapshotRole
from include.rules.points.requests import BackupRequest
from include.rules.register.tenants import Tenant
from include.rules.restore.database_survey import DatabaseSurvey
from include.rules.restore.host_survey import FolderFacts, HostSurvey
from include.rules.restore.survey import Survey

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

PLANS = {"plans": {"standard": {"cadence": "daily", "manual_backups_per_month": 2, "rpo_hours": 26}}}


def tenant_entry(tenant_id: str = "acme", number: int = 1, **changes: Any) -> dict[str, Any]:
    """An entry of tenants.yaml."""
    entry: dict[str, Any] = {
        "id": tenant_id,
        "plan": "standard",
        "web": {
            "instance": f"i-{number:08x}",
            "volume": f"vol-{number:08x}",
            "zone": "eu-central-1a",
            "mount": f"/srv/{tenant_id}",
            "path": f"/srv/{tenant_id}/site",
        },
        "database": {
            "connection": "sql_server_lab",
            "name": f"shop_{tenant_id}",
            "instance": "i-000000db",
            "volume": "vol-000000db",
            "zone": "eu-central-1a",
        },
    }
    return {**entry, **changes}


def tenant(tenant_id: str = "acme", **changes: Any) -> Tenant:
    """A tenant as the rules see it."""
    plan = {**PLANS["plans"]["standard"], "name": "standard"}
    return Tenant.model_validate({**tenant_entry(tenant_id), "plan": plan, **changes})


def request(text: str = "acme|daily|2026-11-23") -> BackupRequest:
    return BackupRequest.parse(text)


def running(text: str = "acme|daily|2026-11-23", now: datetime = NOW) -> Manifest:
    """A recovery point whose first attempt has just begun."""
    backup_request = request(text)
    return first_attempt(backup_request, tenant(backup_request.tenant), owner="lab/tenant_backup/one", token=1, now=now)


def database_settings(**changes: Any) -> DatabaseSettings:
    """Settings of a database with nothing switched on, whose owner is sa."""
    plain = {"server": "SQL-1", "owner": "sa", "owner_sid": "01", "compatibility_level": 160, "recovery_model": "FULL"}
    return DatabaseSettings.model_validate({**plain, **changes})


def snapshot(volume: str, started_at: datetime = NOW, snapshot_id: str = "snap-0123456789abcdef0") -> SnapshotPart:
    return SnapshotPart(snapshot_id=snapshot_id, volume_id=volume, started_at=started_at, size_gib=8)


def backup_file(manifest: Manifest, started_at: datetime = NOW) -> BackupFilePart:
    return BackupFilePart(
        number=1,
        files=(
            StoredFile(
                key=f"recovery-points/{manifest.tenant}/{manifest.id}/full-01.bak", size_bytes=1000, etag='"abc"'
            ),
        ),
        name=f"{manifest.id}/full-01",
        backup_set_uuid="6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        first_lsn="1",
        last_lsn="2",
        copy_only=False,
        started_at=started_at,
        finished_at=started_at + timedelta(minutes=1),
    )


def verified(text: str = "acme|daily|2026-11-23", now: datetime = NOW) -> Manifest:
    """A recovery point that can be restored."""
    manifest = running(text, now)
    for role in SnapshotRole:
        manifest = manifest.with_snapshot(role, snapshot(manifest.volume_of(role), now))
    manifest = manifest.with_backup_file(backup_file(manifest, now)).complete()
    return manifest.verified(Verification(level=2, at=now, checks=("all",))).closed(now)


def surveyed(
    folder: FolderFacts | None = None, snapshots: Mapping[SnapshotRole, str] | None = None, **database: Any
) -> Survey:
    """What a preview has found; `database` are fields of its DatabaseSurvey."""
    return Survey(HostSurvey(folder, snapshots or {}), DatabaseSurvey(**database))
