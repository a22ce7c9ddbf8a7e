"""Snapshot locks: what holds, what ends, and what may still be changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.cloud.locks import LockRefusedError, SnapshotLock, new_lock, replaced
from lab.testing.cloud import LabCloud

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def lock(mode: str = "compliance", days: int = 10, hours: int | None = None, at: datetime = NOW) -> SnapshotLock:
    return new_lock(mode, days, None, hours, at, at)


def test_a_lock_ends_when_its_days_are_over() -> None:
    assert lock(days=3).holds(NOW + timedelta(days=3, seconds=-1))
    assert not lock(days=3).holds(NOW + timedelta(days=3))


def test_a_compliance_lock_is_final_only_after_its_cooling_off() -> None:
    cooling = lock(hours=24)
    assert cooling.state(NOW + timedelta(hours=23)) == "compliance-cooloff"
    assert not cooling.is_final(NOW + timedelta(hours=23))
    assert cooling.is_final(NOW + timedelta(hours=24))


def test_a_final_compliance_lock_can_only_be_made_longer() -> None:
    standing, later = lock(days=10), NOW + timedelta(days=1)
    assert replaced(standing, lock(days=20, at=later)).days == 20
    for shorter in (lock(days=5, at=later), lock("governance", days=30, at=later), lock(days=30, hours=1, at=later)):
        with pytest.raises(LockRefusedError, match="only be made longer"):
            replaced(standing, shorter)


def test_a_governance_lock_may_be_made_shorter() -> None:
    assert replaced(lock("governance", days=30), lock("governance", days=1)).days == 1


@pytest.mark.parametrize(
    ("mode", "days", "hours", "complaint"),
    [
        ("forever", 1, None, "lockMode"),
        ("governance", 1, 24, "compliance mode only"),
        ("compliance", 1, 73, "1 to 72"),
        ("governance", 0, None, "1 to 36500"),
        ("governance", None, None, "either"),
    ],
)
def test_a_lock_outside_the_limits_is_refused(mode: str, days: int | None, hours: int | None, complaint: str) -> None:
    with pytest.raises(LockRefusedError, match=complaint):
        new_lock(mode, days, None, hours, NOW, NOW)


@pytest.mark.lab
def test_a_locked_snapshot_cannot_be_deleted_until_it_is_unlocked(lab_cloud: LabCloud) -> None:
    ec2, snapshot = lab_cloud.client("ec2"), lab_cloud.make_snapshot(lab_cloud.make_volume())
    answer = ec2.lock_snapshot(SnapshotId=snapshot, LockMode="governance", LockDuration=7)
    assert (answer["LockState"], answer["LockDuration"]) == ("governance", 7)
    assert answer["LockExpiresOn"] - answer["LockDurationStartTime"] == timedelta(days=7)
    with pytest.raises(ClientError, match=r"SnapshotLocked.*is locked until"):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.unlock_snapshot(SnapshotId=snapshot)
    assert locked(ec2, snapshot) == []
    ec2.delete_snapshot(SnapshotId=snapshot)


@pytest.mark.lab
def test_a_compliance_lock_cannot_be_taken_off_and_survives_a_kill(lab_cloud: LabCloud) -> None:
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume(), completed=False)
    end = datetime.now(UTC) + timedelta(days=3)
    lab_cloud.client("ec2").lock_snapshot(SnapshotId=snapshot, LockMode="compliance", ExpirationDate=end)
    lab_cloud.kill()
    lab_cloud.start()
    ec2 = lab_cloud.client("ec2")
    for call in (ec2.unlock_snapshot, ec2.delete_snapshot):
        with pytest.raises(ClientError, match="SnapshotLocked"):
            call(SnapshotId=snapshot)
    assert [one["LockState"] for one in locked(ec2, snapshot)] == ["compliance"]


@pytest.mark.lab
def test_locked_snapshots_are_listed_by_their_state(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    snapshots = [lab_cloud.make_snapshot(lab_cloud.make_volume()) for _ in range(2)]
    ec2.lock_snapshot(SnapshotId=snapshots[0], LockMode="governance", LockDuration=1)
    ec2.lock_snapshot(SnapshotId=snapshots[1], LockMode="compliance", LockDuration=1, CoolOffPeriod=1)
    query = [{"Name": "lock-state", "Values": ["compliance-cooloff"]}]
    assert [one["SnapshotId"] for one in locked(ec2, *snapshots, filters=query)] == snapshots[1:]


def locked(ec2: Any, *snapshots: str, filters: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    answer = ec2.describe_locked_snapshots(SnapshotIds=list(snapshots), Filters=filters or [])
    found: list[dict[str, Any]] = answer["Snapshots"]
    return found
