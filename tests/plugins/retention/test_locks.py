"""Locks: what the store enforces, and that retention calls nobody for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from botocore.exceptions import ClientError

from include.rules.errors import PerennialError
from include.rules.points.leases import Purpose
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.transitions import State
from perennial.backup.lock import lock_parts
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.leased import LeasedPoint
from tests.support.holdings import assert_one_of_each
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.world import PLANS, World

pytestmark = pytest.mark.lab


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, each of which has its point, the newest of today."""
    fleet.add_daily(NOW, 3)
    return fleet


class TestLocks:
    """Plans whose points are locked where they are stored; the bucket keeps versions."""

    @pytest.fixture
    def vault_bucket(self, versioned_bucket: str) -> str:
        return versioned_bucket

    @pytest.fixture
    def locked(self, fleet: Stock) -> Stock:
        fleet.register("acme", daily=3, weekly=0, monthly=0, yearly=0, locked_days=20)
        return fleet

    @staticmethod
    def lock(stock: Stock, point: Manifest) -> Manifest:
        """What `close` does with a verified point."""

        async def locking() -> Manifest:
            lease = await tenant_lease.acquire(stock.vault, "acme", "test/tenant_backup/one", Purpose.BACKUP)
            async with tenant_lease.released_after(lease):
                leased = await LeasedPoint.load(lease, point.id)
                await lock_parts(leased)
                return leased.manifest

        manifest: Manifest = stock.run(locking())
        return manifest

    def test_in_a_bucket_with_versions_nothing_is_left_of_a_deleted_point(self, fleet: Stock) -> None:
        old = fleet.add_expiring(OLD, NOW - 2 * DAY, stripes=2)
        key, place = old.parts.bak.keys[0], fleet.vault.documents  # type: ignore[union-attr]
        fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"written over")
        fleet.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)
        fleet.change(old, note="changed, so that the manifest has versions too")
        assert len(fleet.remaining_parts(old)[1]) == 6
        fleet.retain()
        assert fleet.state(old) == "gone"
        assert fleet.remaining_parts(old) == ([], [])

    def test_a_verified_point_is_locked_in_all_its_parts_and_once_only(self, locked: Stock) -> None:
        point = locked.add(datetime.now(UTC), kind="manual", stripes=2)
        manifest = self.lock(locked, point)
        assert manifest.locked_until == point.to_lock_until.replace(microsecond=0)  # type: ignore[union-attr]
        assert self.lock(locked, point).locked_until == manifest.locked_until
        place = locked.vault.documents
        for key in point.parts.bak.keys:  # type: ignore[union-attr]
            held = locked.s3.get_object_retention(Bucket=place.bucket, Key=place.prefix + key)["Retention"]
            assert (held["Mode"], held["RetainUntilDate"]) == ("GOVERNANCE", manifest.locked_until)
        for snapshot in locked.remaining_parts(point)[0]:
            with pytest.raises(ClientError, match="SnapshotLocked"):
                locked.ec2.delete_snapshot(SnapshotId=snapshot)

    def test_a_plan_that_locks_for_one_day_locks_for_as_long_as_aws_takes(self, fleet: Stock) -> None:
        fleet.register("acme", locked_days=1)
        point = fleet.add(datetime.now(UTC) - timedelta(hours=2), kind="manual")
        manifest = self.lock(fleet, point)
        assert manifest.locked_until
        assert manifest.locked_until > datetime.now(UTC) + DAY

    def test_a_locked_point_does_not_expire_even_when_the_plan_no_longer_locks(self, locked: Stock) -> None:
        point = locked.add(OLD, locked_until=NOW + DAY)
        locked.register("acme", daily=3, weekly=0, monthly=0, yearly=0, locked_days=0)
        assert "kept until 2026-06-30: locked where it is stored" in locked.retain().tenants["acme"].text()
        assert locked.state(point) == "verified"

    def test_a_point_that_is_locked_in_part_stays_whole_without_calling_anybody_and_goes_when_the_lock_has_ended(
        self, fleet: Stock
    ) -> None:
        """Locked by somebody else than Perennial: the manifest knows nothing of it."""
        old, place = fleet.add_expiring(OLD, NOW - 2 * DAY), fleet.vault.documents
        key = old.parts.bak.keys[0]  # type: ignore[union-attr]
        end = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + 2 * DAY}
        fleet.s3.put_object_retention(Bucket=place.bucket, Key=place.prefix + key, Retention=end)
        snapshot = old.parts.db_snapshot.snapshot_id  # type: ignore[union-attr]
        fleet.ec2.lock_snapshot(SnapshotId=snapshot, LockMode="governance", LockDuration=2)
        report = fleet.retain()
        assert report.needing_operator() == []
        messages = [trouble.message for trouble in report.tenants["acme"].troubles]
        assert [one.split(" of recovery point")[0] for one in messages] == [
            f"LOCKED: {key}",
            f"LOCKED: snapshot {snapshot}",
        ]
        assert "Its lock ends on" in messages[0]
        assert "the next `retention` tries again" in messages[1]
        assert fleet.manifest(old) == old  # its deletion has not even begun: it can be taken back
        assert [len(parts) for parts in fleet.remaining_parts(old)] == [2, 2]

        fleet.ec2.unlock_snapshot(SnapshotId=snapshot)
        fleet.s3.put_object_retention(
            Bucket=place.bucket,
            Key=place.prefix + key,
            Retention={**end, "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=1)},
            BypassGovernanceRetention=True,
        )
        time.sleep(2.1)
        fleet.retain(NOW + DAY)
        assert fleet.state(old) == "gone"
        assert fleet.remaining_parts(old) == ([], [])

    def test_a_legal_hold_keeps_the_whole_point_until_it_is_lifted(self, fleet: Stock) -> None:
        old, place = fleet.add_expiring(OLD, NOW - 2 * DAY), fleet.vault.documents
        key = old.parts.bak.keys[0]  # type: ignore[union-attr]
        file = {"Bucket": place.bucket, "Key": place.prefix + key}
        fleet.s3.put_object_legal_hold(**file, LegalHold={"Status": "ON"})
        report = fleet.retain()
        assert report.needing_operator() == []
        (message,) = report.not_done()
        assert message.startswith(f"LOCKED: {key} of recovery point {old.id} of tenant acme was not deleted")
        assert "whoever has placed it has lifted it" in message
        assert fleet.manifest(old) == old
        fleet.s3.put_object_legal_hold(**file, LegalHold={"Status": "OFF"})
        assert fleet.retain(NOW + DAY).not_done() == []
        assert fleet.remaining_parts(old) == ([], [])

    def test_a_refused_deletion_names_the_legal_hold_that_came_in_between(self, fleet: Stock) -> None:
        begun = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED, deletion_began_at=NOW - DAY)
        old, place = fleet.add(OLD, state=State.EXPIRING, expiry=begun), fleet.vault.documents
        key = old.parts.bak.keys[0]  # type: ignore[union-attr]
        fleet.s3.put_object_legal_hold(Bucket=place.bucket, Key=place.prefix + key, LegalHold={"Status": "ON"})
        report = fleet.retain()
        assert report.needing_operator() == []
        assert any(one.startswith(f"LOCKED: {key}") and "legal hold" in one for one in report.not_done())
        fleet.s3.put_object_legal_hold(Bucket=place.bucket, Key=place.prefix + key, LegalHold={"Status": "OFF"})

    @pytest.mark.parametrize("look", ["legal-hold", "retention"])
    def test_where_the_store_does_not_say_whether_a_part_is_locked_nothing_of_the_point_goes(
        self, fleet: Stock, look: str
    ) -> None:
        old = fleet.add_expiring(OLD, NOW - 2 * DAY)
        key = old.parts.bak.keys[0]  # type: ignore[union-attr]
        fleet.storage.faults.add("s3:GetObject", match=f"{key}?{look}", code="AccessDenied", status=403, times=None)
        (message,) = fleet.retain().needing_operator()
        assert "locks of an object in the vault could not be looked at" in message
        assert "docs/iam-policy.json" in message
        assert key in message
        assert fleet.manifest(old) == old
        assert [len(parts) for parts in fleet.remaining_parts(old)] == [2, 2]

    def test_a_lock_that_has_ended_does_not_hide_a_missing_right(self, fleet: Stock) -> None:
        old, place = fleet.add_expiring(OLD, NOW - 2 * DAY), fleet.vault.documents
        key = old.parts.bak.keys[0]  # type: ignore[union-attr]
        end = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=1)}
        fleet.s3.put_object_retention(Bucket=place.bucket, Key=place.prefix + key, Retention=end)
        time.sleep(2.1)
        fleet.storage.faults.add(
            "s3:DeleteObject",
            match=key,
            code="AccessDenied",
            message="no s3:DeleteObjectVersion",
            status=403,
            times=None,
        )
        (message,) = fleet.retain().needing_operator()
        assert "docs/iam-policy.json" in message

    def test_a_backup_ends_with_its_parts_locked_and_once_more_changes_nothing(self, world: World) -> None:
        plan = {**PLANS["standard"], "retention": {"locked_days": 3}}
        (world.config / "plans.yaml").write_text(yaml.safe_dump({"plans": {"standard": plan}}))
        request = "acme|daily|2026-11-23"
        manifest = world.back_up(request)
        assert_one_of_each(world, request)
        assert manifest.time
        assert manifest.locked_until == (manifest.time + 3 * DAY).replace(microsecond=0)
        for snapshot in world.snapshots(request):
            with pytest.raises(ClientError, match="SnapshotLocked"):
                world.cloud.client("ec2").delete_snapshot(SnapshotId=snapshot["SnapshotId"])
        assert world.back_up(request, "run-2") == manifest


def test_a_bucket_without_object_lock_says_so_and_the_point_stays_verified(stock: Stock) -> None:
    stock.register("acme", locked_days=20)
    point = stock.add(datetime.now(UTC), kind="manual")
    with pytest.raises(PerennialError, match=r"is verified, but not all of its parts could be locked.*Object Lock"):
        TestLocks.lock(stock, point)
    assert stock.state(point) == "verified"
