"""EBS: snapshots of volumes and volumes from snapshots, found again by tags after any crash.

CreateSnapshot has no client token: when its answer is lost, the snapshot may exist or not. So it is never sent twice
blindly; the caller looks for the tags first. Look-ups lag behind creation, so that a rare second snapshot is possible:
one is adopted, the extras are swept (docs/vault.md, "The same recovery point again").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from include.rules.points.parts import SnapshotRole
from include.rules.register.host_facts import Attachment
from perennial.hooks import waits
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.ebs_items import (
    PART_TAG,
    POINT_TAG,
    RESTORE_TAG,
    TENANT_TAG,
    VAULT_TAG,
    Snapshot,
    Volume,
    read_attachments,
    read_snapshot,
    read_volume,
)
from perennial.hooks.aws.errors import error_code, translate_errors
from perennial.settings import Settings

LONGEST_PAUSE = 4.0
"""Seconds between two tries of a call about something that is new, at most."""

IDS_PER_CALL = 200
"""Values that one filter of a Describe call takes (EC2 API reference, Filter)."""

ITEMS_PER_PAGE = 1000
"""Snapshots that one answer of DescribeSnapshots shows at most (EC2 API reference)."""


class Ebs:
    """EBS calls of one Airflow connection.

    Args:
        conn_id: Airflow connection for EC2.
        vault: URI of the vault. Two vaults in one account may have tenants of the same name; what the other one has
            made is never seen, adopted or deleted.
    """

    def __init__(self, conn_id: str, vault: str) -> None:
        self.conn_id, self.vault = conn_id, vault

    @classmethod
    def of(cls, settings: Settings) -> Ebs:
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
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": self._tags(tags)}],
        )
        return read_snapshot(answer)

    async def snapshots_of_point(self, point_id: str, role: SnapshotRole | None = None) -> list[Snapshot]:
        """All snapshots tagged for a recovery point, oldest first; with `role` those of one part."""
        filters = [self._ours(), {"Name": f"tag:{POINT_TAG}", "Values": [point_id]}]
        if role:
            filters.append({"Name": f"tag:{PART_TAG}", "Values": [role.value]})
        return await self._snapshots(filters)

    async def snapshots_of_tenant(self, tenant: str) -> list[Snapshot]:
        """All snapshots tagged for a tenant, oldest first."""
        return await self._snapshots([self._ours(), {"Name": f"tag:{TENANT_TAG}", "Values": [tenant]}])

    def is_of_point(self, snapshot: Snapshot, point_id: str) -> bool:
        """True when the snapshot carries the tags of this vault and of this recovery point."""
        return snapshot.tags.get(VAULT_TAG) == self.vault and snapshot.tags.get(POINT_TAG) == point_id

    async def snapshots(self, snapshot_ids: Iterable[str]) -> dict[str, Snapshot]:
        """Snapshots by id; ids that AWS does not show (gone, or not yet visible) are missing from the answer."""
        ids, by_id = list(snapshot_ids), {}
        for start in range(0, len(ids), IDS_PER_CALL):
            # A filter leaves unknown ids out; SnapshotIds would fail the whole call for one of them.
            chunk = [{"Name": "snapshot-id", "Values": ids[start : start + IDS_PER_CALL]}]
            by_id.update({snapshot.id: snapshot for snapshot in await self._snapshots(chunk)})
        return by_id

    async def pending_snapshots(self) -> list[Snapshot]:
        """All snapshots tagged for this vault that are pending, oldest first."""
        return await self._snapshots([self._ours(), {"Name": "status", "Values": ["pending"]}])

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

    async def create_volume(self, snapshot_id: str, zone: str, tags: Mapping[str, str], token: str) -> Volume:
        """Make a volume from a snapshot in `zone`; the same `token` (up to 64 characters) again is the same volume."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("A volume could not be made from a snapshot", snapshot=snapshot_id, zone=zone):
            answer = await ec2.create_volume(
                SnapshotId=snapshot_id,
                AvailabilityZone=zone,
                VolumeType="gp3",
                ClientToken=token,
                TagSpecifications=[{"ResourceType": "volume", "Tags": self._tags(tags)}],
            )
        return read_volume(answer)

    async def volumes_of_restore(self, restore_id: str, role: SnapshotRole | None = None) -> list[Volume]:
        """Volumes that a restore has made and not yet deleted; with `role` those made from one part."""
        filters = [self._ours(), {"Name": f"tag:{RESTORE_TAG}", "Values": [restore_id]}]
        if role:
            filters.append({"Name": f"tag:{PART_TAG}", "Values": [role.value]})
        return await self._volumes(filters)

    async def volume(self, volume_id: str) -> Volume | None:
        """One volume; None when AWS does not show it."""
        volumes = await self._volumes([{"Name": "volume-id", "Values": [volume_id]}])
        return volumes[0] if volumes else None

    async def attachments(self, volume_ids: Iterable[str]) -> dict[str, tuple[Attachment, ...] | None]:
        """The attachments of volumes, by id; None for one that AWS does not show."""
        ids = sorted(volume_ids)
        shown: dict[str, tuple[Attachment, ...]] = {}
        for start in range(0, len(ids), IDS_PER_CALL):
            chunk = [{"Name": "volume-id", "Values": ids[start : start + IDS_PER_CALL]}]
            shown |= {item["VolumeId"]: read_attachments(item) for item in await self._volume_items(chunk)}
        return {volume_id: shown.get(volume_id) for volume_id in ids}

    async def devices_in_use(self, instance: str) -> set[str]:
        """Device names that volumes of the instance occupy, for instance `/dev/sdf`."""
        return {volume.device for volume in await self.volumes_of_host(instance)}

    async def volumes_of_host(self, instance: str) -> list[Volume]:
        """The volumes that are attached to an instance, or about to be."""
        return await self._volumes([{"Name": "attachment.instance-id", "Values": [instance]}])

    async def attach_volume(self, volume_id: str, instance: str, device: str) -> None:
        """Attach a volume; botocore's errors come as they are (a device name may have been taken meanwhile).

        A volume that is shown may still be unknown to the part of EC2 that attaches it.
        """
        ec2 = await aws_client("ec2", self.conn_id)
        async for _ in waits.looks(waits.VOLUME_KNOWN, LONGEST_PAUSE):
            try:
                await ec2.attach_volume(VolumeId=volume_id, InstanceId=instance, Device=device)
                return
            except ClientError as error:
                if error_code(error) != "InvalidVolume.NotFound":
                    raise
                refusal = error
        raise refusal

    async def detach_volume(self, volume_id: str) -> None:
        """Ask for the volume to be detached; one that is not attached, or gone, is detached."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("A volume could not be detached", volume=volume_id):
            try:
                await ec2.detach_volume(VolumeId=volume_id)
            except ClientError as error:
                if error_code(error) not in ("IncorrectState", "InvalidVolume.NotFound", "InvalidAttachment.NotFound"):
                    raise

    async def delete_volume(self, volume_id: str) -> bool:
        """Delete a volume; one that is gone already is deleted. False while it is attached or still being made."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("A volume could not be deleted", volume=volume_id, why="It costs money until it is."):
            try:
                await ec2.delete_volume(VolumeId=volume_id)
            except ClientError as error:
                if error_code(error) in ("VolumeInUse", "IncorrectState"):
                    return False
                if error_code(error) != "InvalidVolume.NotFound":
                    raise
        return True

    def _ours(self) -> dict[str, Any]:
        return {"Name": f"tag:{VAULT_TAG}", "Values": [self.vault]}

    def _tags(self, tags: Mapping[str, str]) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in {**tags, VAULT_TAG: self.vault}.items()]

    async def _snapshots(self, filters: list[dict[str, Any]]) -> list[Snapshot]:
        ec2 = await aws_client("ec2", self.conn_id)
        # Without an owner AWS searches everybody's public snapshots as well.
        pages = ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=filters, PaginationConfig={"PageSize": ITEMS_PER_PAGE}
        )
        with translate_errors("AWS could not be asked for snapshots"):
            snapshots = [read_snapshot(item) async for page in pages for item in page["Snapshots"]]
        return sorted(snapshots, key=lambda snapshot: (snapshot.started_at, snapshot.id))

    async def _volumes(self, filters: list[dict[str, Any]]) -> list[Volume]:
        return [read_volume(item) for item in await self._volume_items(filters)]

    async def _volume_items(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ec2 = await aws_client("ec2", self.conn_id)
        pages = ec2.get_paginator("describe_volumes").paginate(Filters=filters)
        with translate_errors("AWS could not be asked for volumes"):
            return [item async for page in pages for item in page["Volumes"]]
