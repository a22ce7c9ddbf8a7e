"""EBS: snapshots of volumes and volumes from snapshots, found again by tags after any crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from include.rules.points.parts import SnapshotRole
from include.rules.register.host_facts import Attachment
from perennial.hooks import waits
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.ebs_items import PART_TAG, RESTORE_TAG, Volume, read_attachments, read_volume
from perennial.hooks.aws.ebs_snapshots import IDS_PER_CALL, ITEMS_PER_PAGE, EbsSnapshots
from perennial.hooks.aws.errors import error_code, translate_errors

LONGEST_PAUSE = 4.0
"""Seconds between two tries of a call about something that is new, at most."""


class Ebs(EbsSnapshots):
    """EBS calls of one Airflow connection: those about snapshots, and these about volumes."""

    async def create_volume(self, snapshot_id: str, zone: str, tags: Mapping[str, str], token: str) -> Volume:
        """Make a volume from a snapshot in `zone`; the same `token` (up to 64 characters) again is the same volume."""
        ec2 = await aws_client("ec2", self.conn_id)
        with translate_errors("A volume could not be made from a snapshot", snapshot=snapshot_id, zone=zone):
            answer = await ec2.create_volume(
                SnapshotId=snapshot_id,
                AvailabilityZone=zone,
                VolumeType="gp3",
                ClientToken=token,
                TagSpecifications=[{"ResourceType": "volume", "Tags": self.tag_list(tags)}],
            )
        return read_volume(answer)

    async def volumes_of_restore(self, restore_id: str, role: SnapshotRole | None = None) -> list[Volume]:
        """Volumes that a restore has made and not yet deleted; with `role` those made from one part."""
        filters = [self.ours(), {"Name": f"tag:{RESTORE_TAG}", "Values": [restore_id]}]
        if role:
            filters.append({"Name": f"tag:{PART_TAG}", "Values": [role.value]})
        return await self._volumes(filters)

    async def volume(self, volume_id: str) -> Volume | None:
        """One volume; None when AWS does not show it."""
        volumes = await self._volumes([{"Name": "volume-id", "Values": [volume_id]}])
        return volumes[0] if volumes else None

    async def shows_anything_of(self, volume_id: str) -> bool:
        """True when AWS shows the volume or a snapshot of it, so that its snapshots are in this account and Region.

        A copy of a snapshot shows another volume.
        """
        if await self.volume(volume_id):
            return True
        return bool(await self._snapshots([{"Name": "volume-id", "Values": [volume_id]}]))

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

    async def _volumes(self, filters: list[dict[str, Any]]) -> list[Volume]:
        return [read_volume(item) for item in await self._volume_items(filters)]

    async def _volume_items(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ec2 = await aws_client("ec2", self.conn_id)
        pages = ec2.get_paginator("describe_volumes").paginate(
            Filters=filters, PaginationConfig={"PageSize": ITEMS_PER_PAGE}
        )
        with translate_errors("AWS could not be asked for volumes"):
            return [item async for page in pages for item in page["Volumes"]]
