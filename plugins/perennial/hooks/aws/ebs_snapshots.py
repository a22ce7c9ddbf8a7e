"""EBS snapshots of this vault: asked for once, found again by tags after any crash, deleted, locked.

CreateSnapshot has no client token: when its answer is lost, the snapshot may exist or not. So it is never sent twice
blindly; the caller looks for the tags first. Look-ups lag behind creation, so that a rare second snapshot is possible:
one is adopted, the extras are swept (docs/vault.md, "The same recovery point again").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import ClientError

from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.ebs_items import (
    CLAIM_TAG,
    POINT_TAG,
    TENANT_TAG,
    VAULT_TAG,
    Snapshot,
    read_snapshot,
)
from perennial.hooks.aws.errors import error_code, translate_errors
from perennial.settings import Settings

IDS_PER_CALL = 200
"""Values that one filter of a Describe call takes (EC2 API reference, Filter)."""
ITEMS_PER_PAGE = 200
"""Snapshots or volumes that one answer may show.

EC2 shows up to 1,000, and botocore reads an answer in one callback of the event loop, for which every step of a
triggerer waits; it may take 50 ms of CPU. On a core at 2.1 GHz or so 1,000 snapshots take 45 to 60 ms with four tags
each and 90 to 110 with fourteen; 200 take 10 and 20, and 200 volumes with eight tags 15.
"""


class EbsSnapshots:
    """The calls about snapshots of one Airflow connection.

    Args:
        conn_id: Airflow connection for EC2.
        vault: URI of the vault. Two vaults in one account may have tenants of the same name; what the other one has
            made is never seen, adopted or deleted.
    """

    def __init__(self, conn_id: str, vault: str) -> None:
        self.conn_id, self.vault = conn_id, vault

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The calls of this deployment."""
        return cls(settings.aws_conn_id, settings.vault)

    async def create_snapshot(self, volume_id: str, tags: Mapping[str, str], description: str) -> Snapshot:
        """Ask for a snapshot once; it shows the bytes of this moment and completes later.

        Raises:
            botocore's errors as they come: the caller knows which of them mean "later" and which "never".
        """
        ec2 = await aws_client("ec2", self.conn_id, resend=False)
        answer = await ec2.create_snapshot(
            VolumeId=volume_id,
            Description=description[:255],
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": self.tag_list(tags)}],
        )
        return read_snapshot(answer)

    async def snapshots_of_point(self, point_id: str) -> list[Snapshot]:
        """All snapshots tagged for a recovery point, oldest first."""
        return await self._snapshots([self.ours(), {"Name": f"tag:{POINT_TAG}", "Values": [point_id]}])

    async def snapshots_of_tenant(self, tenant: str) -> list[Snapshot]:
        """All snapshots tagged for a tenant, oldest first."""
        return await self._snapshots([self.ours(), {"Name": f"tag:{TENANT_TAG}", "Values": [tenant]}])

    async def snapshots_of_claims(self, tags: Iterable[str]) -> dict[str, list[Snapshot]]:
        """The snapshots of shared snapshots' claims by the value of their tag (`SharedSnapshot.tag`), oldest first;
        claims that have none are missing from the answer.
        """
        values, by_tag = sorted(set(tags)), dict[str, list[Snapshot]]()
        for start in range(0, len(values), IDS_PER_CALL):
            of_claims = {"Name": f"tag:{CLAIM_TAG}", "Values": values[start : start + IDS_PER_CALL]}
            for snapshot in await self._snapshots([self.ours(), of_claims]):
                by_tag.setdefault(snapshot.tags[CLAIM_TAG], []).append(snapshot)
        return by_tag

    async def every_snapshot(self) -> AsyncIterator[Snapshot]:
        """Every snapshot of this vault, in no order, a page of them at a time: a fleet has more than fit in memory."""
        async for snapshot in self._pages([self.ours()]):
            yield snapshot

    async def snapshots_of_volumes(self, volume_ids: Iterable[str]) -> AsyncIterator[Snapshot]:
        """Every snapshot of this vault that shows one of these volumes, in no order."""
        ids = sorted(volume_ids)
        for start in range(0, len(ids), IDS_PER_CALL):
            of_volumes = {"Name": "volume-id", "Values": ids[start : start + IDS_PER_CALL]}
            async for snapshot in self._pages([self.ours(), of_volumes]):
                yield snapshot

    def is_ours(self, snapshot: Snapshot) -> bool:
        """True when the snapshot carries the tag of this vault."""
        return snapshot.tags.get(VAULT_TAG) == self.vault

    def is_of_point(self, snapshot: Snapshot, point_id: str) -> bool:
        """True when the snapshot carries the tags of this vault and of this recovery point."""
        return self.is_ours(snapshot) and snapshot.tags.get(POINT_TAG) == point_id

    async def snapshots(self, snapshot_ids: Iterable[str]) -> dict[str, Snapshot]:
        """Snapshots by id; ids that AWS does not show (gone, or not yet visible) are missing from the answer."""
        ids, by_id = list(snapshot_ids), {}
        for start in range(0, len(ids), IDS_PER_CALL):
            # A filter leaves unknown ids out; SnapshotIds would fail the whole call for one of them.
            chunk = [{"Name": "snapshot-id", "Values": ids[start : start + IDS_PER_CALL]}]
            by_id.update({snapshot.id: snapshot for snapshot in await self._snapshots(chunk)})
        return by_id

    async def is_unknown(self, snapshot_id: str) -> bool:
        """True when AWS says that this account and Region have no such snapshot; one of another owner is known."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("AWS could not be asked for a snapshot", snapshot=snapshot_id):
            try:
                await ec2.describe_snapshots(SnapshotIds=[snapshot_id])
            except ClientError as error:
                if error_code(error) != "InvalidSnapshot.NotFound":
                    raise
                return True
        return False

    async def pending_snapshots(self) -> list[Snapshot]:
        """All snapshots tagged for this vault that are pending, oldest first."""
        return await self._snapshots([self.ours(), {"Name": "status", "Values": ["pending"]}])

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot; one that is gone already is deleted."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("A snapshot could not be deleted", snapshot=snapshot_id):
            try:
                await ec2.delete_snapshot(SnapshotId=snapshot_id)
            except ClientError as error:
                if error_code(error) != "InvalidSnapshot.NotFound":
                    raise

    async def lock_snapshot(self, snapshot_id: str, until: datetime) -> None:
        """Let AWS refuse to delete a snapshot before `until` (snapshot lock, governance mode); again changes nothing.

        AWS takes no end that is less than a day away (EC2 API reference, LockSnapshot), so the caller asks in time.
        """
        ec2 = await aws_client("ec2", self.conn_id)
        todo = "Check the right ec2:LockSnapshot, then clear the task `open` of this run."
        with translate_errors("A snapshot could not be locked", snapshot=snapshot_id, todo=todo):
            await ec2.lock_snapshot(SnapshotId=snapshot_id, LockMode="governance", ExpirationDate=until)

    async def locked_snapshots(self, snapshot_ids: Iterable[str]) -> dict[str, datetime | None]:
        """Which of these snapshots a lock holds, and until when; None where AWS does not say."""
        ids = list(snapshot_ids)
        if not ids:
            return {}
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("AWS could not be asked for snapshot locks"):
            answer = await ec2.describe_locked_snapshots(SnapshotIds=ids)
        return {
            one["SnapshotId"]: one.get("LockExpiresOn") for one in answer["Snapshots"] if one["LockState"] != "expired"
        }

    def ours(self) -> dict[str, Any]:
        """The filter of a Describe call for what this vault has made."""
        return {"Name": f"tag:{VAULT_TAG}", "Values": [self.vault]}

    def tag_list(self, tags: Mapping[str, str]) -> list[dict[str, str]]:
        """Tags as AWS takes them, that of this vault among them."""
        return [{"Key": key, "Value": value} for key, value in {**tags, VAULT_TAG: self.vault}.items()]

    async def _snapshots(self, filters: list[dict[str, Any]]) -> list[Snapshot]:
        snapshots = [snapshot async for snapshot in self._pages(filters)]
        return sorted(snapshots, key=lambda snapshot: (snapshot.started_at, snapshot.id))

    async def _pages(self, filters: list[dict[str, Any]]) -> AsyncIterator[Snapshot]:
        ec2 = await aws_client("ec2", self.conn_id)
        # Without an owner AWS searches everybody's public snapshots as well.
        pages = ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=filters, PaginationConfig={"PageSize": ITEMS_PER_PAGE}
        )
        with translate_errors("AWS could not be asked for snapshots"):
            async for page in pages:
                for item in page["Snapshots"]:
                    yield read_snapshot(item)
