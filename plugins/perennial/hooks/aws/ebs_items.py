"""Snapshots and volumes as EBS shows them, and the tags by which they are found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.register.host_facts import Attachment

VAULT_TAG = "perennial:vault"
TENANT_TAG = "perennial:tenant"
POINT_TAG = "perennial:recovery-point"
PART_TAG = "perennial:part"
VOLUME_TAG = "perennial:volume"
CLAIM_TAG = "perennial:claim"
RESTORE_TAG = "perennial:restore"

LONG_ENOUGH = timedelta(hours=1)
"""For how long at least a snapshot has to stay out of the archive, so that a volume can be made from it."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot as DescribeSnapshots shows it; `state` is pending, completed, error, recoverable or recovering.

    `state_message` says why it is in error: what is wrong with a KMS key stands there and nowhere else. Of one in the
    archive tier no volume is made; `archived_again_at` is when one that was brought back for a while goes there again.
    """

    id: str
    volume_id: str
    state: str
    progress: str
    started_at: datetime
    size_gib: int
    tags: Mapping[str, str]
    state_message: str = ""
    is_archived: bool = False
    archived_again_at: datetime | None = None

    @property
    def described_state(self) -> str:
        """Its state, with Amazon's reason where there is one."""
        return f"{self.state} ({self.state_message.rstrip('.')})" if self.state_message else self.state

    def why_unusable(self, now: datetime) -> str:
        """Why no volume can be made from it, in words that follow its id; empty when one can."""
        if self.state == "pending":
            return f"is pending: it is not complete yet ({self.progress})"
        if self.state in ("recoverable", "recovering"):
            return f"is {self.state}: it was deleted and lies in the Recycle Bin, recover it there first"
        if self.state != "completed":
            return f"is {self.described_state}"
        if self.is_archived:
            return "is in the archive tier: bring it back first (RestoreSnapshotTier), which takes up to three days"
        if self.archived_again_at and self.archived_again_at - now < LONG_ENOUGH:
            return (
                f"goes into the archive tier again at {self.archived_again_at:%Y-%m-%d %H:%M} UTC: keep it out longer"
            )
        return ""


@dataclass(frozen=True)
class Volume:
    """One volume as DescribeVolumes shows it; what is about its attachment is empty while it has none.

    It is `in-use` as soon as AttachVolume was called: `attachment` (attaching, attached, detaching or busy) says
    whether the host has it.
    """

    id: str
    state: str
    instance: str
    device: str
    attachment: str
    zone: str = ""
    size_gib: int = 0


def claim_tags(document: SharedSnapshot, billing: Mapping[str, str]) -> dict[str, str]:
    """Tags of a shared snapshot: by what it is found again, and those for billing.

    Args:
        billing: What the tenants of the volume have in common; a snapshot is of none of them.
    """
    return {
        **billing,
        "Name": f"{document.volume} {document.id}",
        VOLUME_TAG: document.volume,
        CLAIM_TAG: document.tag,
    }


def read_snapshot(item: Mapping[str, Any]) -> Snapshot:
    """A snapshot from an item of DescribeSnapshots, or from the answer to CreateSnapshot."""
    return Snapshot(
        id=item["SnapshotId"],
        volume_id=item["VolumeId"],
        state=item["State"],
        progress=item.get("Progress", ""),
        started_at=item["StartTime"],
        size_gib=item["VolumeSize"],
        tags={tag["Key"]: tag["Value"] for tag in item.get("Tags", ())},
        state_message=item.get("StateMessage") or "",
        is_archived=item.get("StorageTier") == "archive" and not item.get("RestoreExpiryTime"),
        archived_again_at=item.get("RestoreExpiryTime"),
    )


def read_volume(item: Mapping[str, Any]) -> Volume:
    """A volume from an item of DescribeVolumes, or from the answer to CreateVolume."""
    attachment: Mapping[str, Any] = next(iter(item.get("Attachments", ())), {})
    return Volume(
        id=item["VolumeId"],
        state=item["State"],
        instance=attachment.get("InstanceId", ""),
        device=attachment.get("Device", ""),
        attachment=attachment.get("State", ""),
        zone=item.get("AvailabilityZone", ""),
        size_gib=int(item.get("Size", 0)),
    )


def read_attachments(item: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """All attachments of an item of DescribeVolumes; a volume may be attached to several instances (Multi-Attach)."""
    return tuple(
        Attachment(instance=one.get("InstanceId", ""), device=one.get("Device", ""), state=one.get("State", ""))
        for one in item.get("Attachments", ())
    )
