"""The EC2 calls about snapshots whose parameters moto does not read, or that it does not have."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import Snapshot

from lab.cloud.locks import utc_now
from lab.cloud.parameters import LARGEST_PAGE, CheckedParameters
from lab.cloud.snapshots import SnapshotsOnFolders, TimedSnapshot

_EMPTY: dict[str, Any] = dict.fromkeys(get_service_model("ec2").shape_for("Snapshot").members)


class SnapshotCalls(CheckedParameters):
    """Looking at snapshots and locking them.

    Attributes:
        usual_lag: Seconds for which look-ups do not see what is new.
        lag: The same for the call under way, where a fault rule asks for more. Calls are answered one at a time.
    """

    usual_lag: ClassVar[float] = 0.0
    lag: ClassVar[float] = 0.0

    @property
    def snapshots(self) -> SnapshotsOnFolders:
        return cast(SnapshotsOnFolders, self.ec2_backend)

    def hidden_since(self) -> float:
        """The moment from which on whatever was made is not seen yet, in seconds since 1970."""
        return time.time() - max(self.usual_lag, self.lag)

    def describe_snapshots(self) -> ActionResult:
        """With owners and pages; without MaxResults everything comes at once, as on AWS."""
        ids = self._get_param("SnapshotIds", [])
        for snapshot_id in ids:
            if self.snapshots.get_snapshot(snapshot_id).asked_at > self.hidden_since():
                raise EC2ClientError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        snapshots = self.ec2_backend.describe_snapshots(ids, self._filters_from_querystring())
        newest = self.hidden_since()
        snapshots = [snapshot for snapshot in snapshots if snapshot.asked_at <= newest]
        if owners := {self.current_account if owner == "self" else owner for owner in self._get_param("OwnerIds", [])}:
            snapshots = [snapshot for snapshot in snapshots if snapshot.owner_id in owners]
        page, token = self._asked_page(snapshots, _age_and_id, "snapshotSet")
        return ActionResult({"Snapshots": [_snapshot_form(one) for one in page], "NextToken": token})

    def create_snapshots(self) -> ActionResult:
        raise _unknown("CreateSnapshots")

    def copy_snapshot(self) -> ActionResult:
        raise _unknown("CopySnapshot")

    def lock_snapshot(self) -> ActionResult:
        self.error_on_dryrun()
        days, hours = self._get_param("LockDuration"), self._get_param("CoolOffPeriod")
        snapshot = self.snapshots.lock_snapshot(
            self._get_param("SnapshotId"),
            self._get_param("LockMode"),
            None if days is None else int(days),
            _as_utc(self._get_param("ExpirationDate")),
            None if hours is None else int(hours),
        )
        return ActionResult(_lock_form(snapshot))

    def unlock_snapshot(self) -> ActionResult:
        self.error_on_dryrun()
        snapshot_id = self._get_param("SnapshotId")
        self.snapshots.unlock_snapshot(snapshot_id)
        return ActionResult({"SnapshotId": snapshot_id})

    def describe_locked_snapshots(self) -> ActionResult:
        """All locks, or those of given snapshots, with the filter `lock-state`; in pages of MaxResults."""
        snapshots = self.snapshots.locked_snapshots(self._get_param("SnapshotIds", []))
        filters = self._filters_from_querystring()
        if unknown := filters.keys() - {"lock-state"}:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{sorted(unknown)[0]}' is invalid")
        states = filters.get("lock-state")
        snapshots = [one for one in snapshots if not states or _lock_form(one)["LockState"] in states]
        page, token = self._page(snapshots, _age_and_id, int(self._get_param("MaxResults") or LARGEST_PAGE))
        return ActionResult({"Snapshots": [_lock_form(one) for one in page], "NextToken": token})


def _unknown(action: str) -> EC2ClientError:
    """moto's own way of doing it would make snapshots without bytes."""
    return EC2ClientError("UnsupportedOperation", f"The lab does not know {action}: Perennial never sends it.")


def _snapshot_form(snapshot: TimedSnapshot) -> dict[str, Any]:
    """A snapshot by the names of the API, with every member named: moto tries six spellings of each that is missing."""
    return _EMPTY | {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "VolumeSize": snapshot.volume_size,
        "State": snapshot.status,
        "StateMessage": snapshot.state_message,
        "StartTime": snapshot.start_time,
        "Progress": snapshot.progress,
        "OwnerId": snapshot.owner_id,
        "Description": snapshot.description,
        "Encrypted": snapshot.encrypted,
        "KmsKeyId": snapshot.kms_key_id,
        "StorageTier": snapshot.storage_tier,
        "RestoreExpiryTime": snapshot.restore_expiry_time,
        "Tags": [{"Key": key, "Value": value} for key, value in snapshot.tags.items()],
    }


def _lock_form(snapshot: TimedSnapshot) -> dict[str, Any]:
    lock = snapshot.lock
    assert lock is not None, f"{snapshot.id} has no lock"  # noqa: S101 - the callers have looked
    return {
        "SnapshotId": snapshot.id,
        "OwnerId": snapshot.owner_id,
        "LockState": lock.state(utc_now()),
        "LockDuration": lock.days,
        "LockCreatedOn": lock.created_at,
        "LockDurationStartTime": lock.starts_at,
        "LockExpiresOn": lock.expires_at,
        "CoolOffPeriod": lock.cool_off_hours,
        "CoolOffPeriodExpiresOn": lock.cool_off_ends_at,
    }


def _as_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _age_and_id(snapshot: Snapshot) -> str:
    return f"{snapshot.start_time.isoformat()} {snapshot.id}"
