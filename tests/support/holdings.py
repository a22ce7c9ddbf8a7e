"""What the cloud and the vault hold of a recovery point: to look at, and to change behind the back of all steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from include.rules.points.leases import Lease
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.points.transitions import State
from lab.testing.cloud import LabCloud
from lab.testing.storage import LabStorage
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from tests.support.backup_files import backup_file_keys


@dataclass
class Holdings:
    """The cloud, the vault that the environment names, and the loop in which they are asked."""

    cloud: LabCloud
    storage: LabStorage
    runner: asyncio.Runner

    @property
    def vault(self) -> Vault:
        return Vault(Settings.from_environment())

    def manifest(self, request: str) -> Manifest:
        """The manifest of the recovery point that the request names."""
        asked = BackupRequest.parse(request)
        version = self.runner.run(self.vault.points.get(asked.tenant, asked.recovery_point_id))
        assert version, f"no manifest of {asked.recovery_point_id}"
        return version.value

    def lease(self, tenant: str) -> Lease:
        version = self.runner.run(self.vault.lease(tenant))
        assert version, f"tenant {tenant} has never been leased"
        return version.value

    def shared_snapshots(self, request: str) -> list[SharedSnapshot]:
        """The shared snapshots on whose lists the recovery point is, in the order of their claims."""
        asked = BackupRequest.parse(request)
        every = self.runner.run(self._every_shared_snapshot())
        return [one for one in every if one.user(asked.tenant, asked.recovery_point_id)]

    async def _every_shared_snapshot(self) -> list[SharedSnapshot]:
        vault = self.vault
        volumes = await vault.documents.folders("shared-snapshots/")
        claims = [(volume, claim) for volume in volumes for claim in await vault.shared_snapshot_ids(volume)]
        return [(await vault.shared_snapshots.require(*claim)).value for claim in claims]

    def forget_shared_snapshots(self) -> None:
        """Take their documents away, as if they were of another day: a step reads those of the last hour."""
        place = self.vault.documents
        for claim in self.runner.run(self._every_shared_snapshot()):
            key = f"{place.prefix}{self.vault.shared_snapshots.key(claim.volume, claim.id)}"
            self.storage.client().delete_object(Bucket=place.bucket, Key=key)

    def snapshots(self, request: str) -> list[dict[str, Any]]:
        """All snapshots in the cloud that were made for shared snapshots on whose lists the recovery point is."""
        tags = [tag for shared in self.shared_snapshots(request) for tag in shared.tags]
        filters = [
            {"Name": "tag:perennial:claim", "Values": tags},
            {"Name": "tag:perennial:vault", "Values": [self.vault.settings.vault]},
        ]
        found: list[dict[str, Any]] = self.cloud.client("ec2").describe_snapshots(Filters=filters)["Snapshots"]
        return found if tags else []

    def files(self, request: str) -> list[str]:
        """All backup files in the vault that lie beside the recovery point's manifest."""
        asked = BackupRequest.parse(request)
        return self.runner.run(backup_file_keys(self.vault, asked.tenant, asked.recovery_point_id))

    def read_file(self, key: str) -> bytes:
        """The content of a backup file in the vault."""
        place = self.vault.documents
        body: bytes = self.storage.client().get_object(Bucket=place.bucket, Key=place.prefix + key)["Body"].read()
        return body

    def write_file(self, key: str, body: bytes) -> None:
        """Put something else in the place of a backup file."""
        place = self.vault.documents
        self.storage.client().put_object(Bucket=place.bucket, Key=place.prefix + key, Body=body)

    @contextmanager
    def vault_away(self, action: str, match: str = "") -> Iterator[None]:
        """The vault's store refuses these calls meanwhile."""
        self.storage.faults.add(action, match=match, code="AccessDenied", status=403, times=None)
        try:
            yield
        finally:
            self.storage.faults.clear()

    def record_files_as_they_are(self, request: str) -> None:
        """Let the manifest hold the backup files as the vault has them now, as if they had always been so."""
        bak = self.manifest(request).parts.bak
        assert bak
        files = self.runner.run(self.vault.backup_files(bak.keys))
        self.change_manifest(request, lambda m: m.with_backup_file(bak.model_copy(update={"files": tuple(files)})))

    def change_manifest(self, request: str, change: Callable[[Manifest], Manifest]) -> None:
        """Change the recovery point's manifest behind the back of all steps."""
        asked = BackupRequest.parse(request)
        version = self.runner.run(self.vault.points.get(asked.tenant, asked.recovery_point_id))
        assert version
        self.runner.run(self.vault.points.replace(change(version.value), version.etag))


def assert_one_of_each(holdings: Holdings, request: str) -> Manifest:
    """The recovery point is verified, all its parts are there, and it is on the lists of their shared snapshots and of
    no others. What broken attempts have left besides is retention's to sweep.
    """
    manifest = holdings.manifest(request)
    assert manifest.state is State.VERIFIED, manifest.failure
    assert manifest.parts.missing() == ()
    parts = [part for part in (manifest.parts.web_snapshot, manifest.parts.db_snapshot) if part]
    assert set(manifest.parts.snapshot_ids) <= {snapshot["SnapshotId"] for snapshot in holdings.snapshots(request)}
    shared = {(one.volume, one.id, one.snapshot_id) for one in holdings.shared_snapshots(request)}
    assert shared == {(part.volume_id, part.claim, part.snapshot_id) for part in parts}
    assert manifest.parts.bak
    assert set(manifest.parts.bak.keys) <= set(holdings.files(request))
    assert holdings.lease(manifest.tenant).owner is None
    return manifest
