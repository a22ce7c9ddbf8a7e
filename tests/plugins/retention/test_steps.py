"""Retention on the lab's vault and EBS: what goes, in which order, and what a refusal leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rules.errors import UnavailableError
from include.rules.points.parts import Parts, SnapshotRole
from include.rules.points.transitions import State
from include.rules.retention.reports import Deed
from perennial.retention.last_run import last_retention
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import carry_out
from tests.support.waits import shorten

pytestmark = pytest.mark.lab

HOUR = timedelta(hours=1)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, each of which has its point, the newest of today."""
    fleet.add_daily(NOW, 3)
    return fleet


def test_a_point_is_marked_then_deleted_after_its_grace_period_and_leaves_a_tombstone(fleet: Stock) -> None:
    old = fleet.add(OLD, stripes=3)
    report = fleet.retain(NOW)
    assert fleet.state(old) == "expiring"
    assert (report.tenants["acme"].done, report.tenants["acme"].kept) == ({Deed.MARKED: [old.id]}, 3)
    assert len(fleet.remaining_parts(old)[0]) == 2
    assert len(fleet.remaining_parts(old)[1]) == 4

    fleet.retain(NOW + 23 * HOUR)
    assert fleet.state(old) == "expiring"
    assert len(fleet.remaining_parts(old)[1]) == 4

    report = fleet.retain(NOW + DAY)
    assert report.tenants["acme"].done[Deed.DELETED] == [old.id]
    assert report.needing_operator() == []
    assert fleet.state(old) == "gone"
    assert fleet.remaining_parts(old) == ([], [])
    tombstone = fleet.run(fleet.vault.tombstones.require("acme", old.id)).value
    assert (tombstone.state, tombstone.parts) == (State.EXPIRED, old.parts)
    assert old.id not in [point.id for point in fleet.run(fleet.vault.manifests("acme"))]


def test_nothing_but_the_point_itself_goes(fleet: Stock) -> None:
    before = fleet.everything()
    fleet.add_expiring(OLD, NOW - 2 * DAY)
    assert fleet.everything() != before
    fleet.retain()
    assert fleet.everything() == before


def test_a_dry_run_says_what_would_go_and_does_nothing(fleet: Stock) -> None:
    old, marked = fleet.add(OLD), fleet.add_expiring(OLD - DAY, NOW - 2 * DAY)
    before = fleet.everything()
    report = fleet.retain(dry_run=True)
    assert fleet.everything() == before
    assert (fleet.state(old), fleet.state(marked)) == ("verified", "expiring")
    message = report.tenants["acme"].text()
    assert f"{old.id}: expires, to be deleted from 2026-07-01 12:00Z on" in message
    assert f"{marked.id}: deleted: its grace period is over" in message
    assert fleet.run(last_retention(fleet.vault.documents)) is None


def test_a_new_reason_takes_a_point_back(fleet: Stock) -> None:
    old = fleet.add_expiring(OLD, NOW - 2 * HOUR)
    fleet.register("acme", daily=300, weekly=0, monthly=0, yearly=0)
    assert fleet.retain().tenants["acme"].done == {Deed.TAKEN_BACK: [old.id]}
    assert fleet.state(old) == "verified"


def test_a_run_that_was_left_without_anybody_at_work_fails_and_its_parts_go_after_the_time_for_diagnosis(
    fleet: Stock,
) -> None:
    abandoned_point = fleet.add(
        NOW - 2 * DAY + HOUR, kind="manual", state=State.RUNNING, closed_at=None, verification=None
    )
    fleet.retain()
    assert fleet.state(abandoned_point) == "failed"
    fleet.add_daily(NOW + 8 * DAY, 3)
    fleet.add(NOW + 9 * DAY)
    for days in (8, 9):
        fleet.retain(NOW + days * DAY)
    assert fleet.state(abandoned_point) == "gone"
    assert fleet.remaining_parts(abandoned_point) == ([], [])


def test_parts_that_a_later_attempt_has_replaced_are_swept(fleet: Stock) -> None:
    point = fleet.add(NOW - 3 * HOUR, kind="manual")
    extra = fleet.add_snapshot(point, SnapshotRole.WEB, NOW).snapshot_id
    file = fleet.add_file(point, "full-00.bak")
    report = fleet.retain()
    assert sorted(report.tenants["acme"].swept) == sorted([extra, file])
    assert (len(fleet.remaining_parts(point)[0]), len(fleet.remaining_parts(point)[1])) == (2, 2)
    assert fleet.state(point) == "verified"


@pytest.mark.parametrize("goes", [False, True])
def test_a_copy_with_the_tags_of_a_point_is_reported_and_never_deleted(fleet: Stock, goes: bool) -> None:
    """AWS shows another volume for it."""
    point = fleet.add_expiring(OLD, NOW - 2 * DAY) if goes else fleet.add(NOW - 3 * HOUR, kind="manual")
    other = point.model_copy(update={"parts": Parts()})
    copy = fleet.add_snapshot(other, SnapshotRole.WEB, NOW).snapshot_id
    report = fleet.retain()
    assert report.tenants["acme"].swept == []
    assert fleet.state(point) == ("gone" if goes else "verified")
    (message,) = fleet.retain(NOW + HOUR).needing_operator()
    assert copy in message
    assert "which has no manifest" in message or "which is none of the point's" in message
    assert copy in fleet.snapshots()


def test_snapshots_of_another_vault_with_the_same_names_are_never_touched(fleet: Stock) -> None:
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    theirs = fleet.add_snapshot(old, SnapshotRole.WEB, NOW, vault="s3://somebody-elses")
    fleet.retain()
    assert fleet.state(old) == "gone"
    assert theirs.snapshot_id in fleet.snapshots("s3://somebody-elses")


def test_a_part_that_has_lost_our_tags_is_not_deleted_and_its_manifest_stays(fleet: Stock) -> None:
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    assert old.parts.web_snapshot
    snapshot = old.parts.web_snapshot.snapshot_id
    fleet.ec2.delete_tags(Resources=[snapshot], Tags=[{"Key": "perennial:vault"}])
    (message,) = fleet.retain().needing_operator()
    assert f"snapshot {snapshot} of recovery point {old.id} of tenant acme was not deleted" in message
    assert "it no longer carries the tags" in message
    assert "Correct its tags, or delete it by hand." in message
    assert fleet.state(old) == "expiring"
    assert fleet.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    fleet.ec2.delete_snapshot(SnapshotId=snapshot)
    assert fleet.retain(NOW + DAY).needing_operator() == []
    assert fleet.state(old) == "gone"


@pytest.mark.parametrize(
    ("code", "message", "todo"),
    [
        ("InvalidSnapshot.InUse", "The snapshot is currently in use by ami-0123", "deregister the image"),
        ("InvalidParameterValue", "This snapshot is managed by the AWS Backup service", "delete it there"),
        ("UnauthorizedOperation", "You are not authorized", "docs/iam-policy.json"),
    ],
)
def test_a_snapshot_that_aws_does_not_delete_stops_no_other_part_and_is_tried_again(
    fleet: Stock, code: str, message: str, todo: str
) -> None:
    stuck, other = (fleet.add_expiring(OLD - n * DAY, NOW - 2 * DAY) for n in range(2))
    assert stuck.parts.db_snapshot
    snapshot = stuck.parts.db_snapshot.snapshot_id
    fleet.cloud.add_fault("ec2:DeleteSnapshot", match=snapshot, code=code, message=message, status=400, times=99)
    report = fleet.retain()
    (message,) = report.needing_operator()
    assert f"{snapshot} of recovery point {stuck.id} of tenant acme was not deleted: AWS answered {code}" in message
    assert todo in message
    assert (fleet.state(stuck), fleet.state(other)) == ("expiring", "gone")
    assert [len(parts) for parts in fleet.remaining_parts(stuck)] == [1, 1]
    fleet.cloud.clear_faults()
    assert fleet.retain(NOW + DAY).tenants["acme"].done[Deed.DELETED] == [stuck.id]
    assert fleet.remaining_parts(stuck) == ([], [])


def test_a_missing_right_calls_a_person_wherever_it_is_missing(fleet: Stock) -> None:
    """Not for a deletion itself: for the tombstone that follows it."""
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    fleet.storage.faults.add("s3:PutObject", match="expired/", code="AccessDenied", status=403, times=None)
    (message,) = fleet.retain().needing_operator()
    assert message.startswith("Tenant acme: The vault could not be written: AWS answered AccessDenied")
    assert "docs/iam-policy.json; the next `retention` tries again. [bucket=" in message
    assert "clear" not in message  # no step has failed, and there is none to clear
    fleet.storage.faults.clear()
    assert fleet.retain(NOW + DAY).not_done() == []
    assert fleet.state(old) == "gone"


@pytest.mark.parametrize(
    "fault",
    [{"code": "RequestLimitExceeded", "status": 503}, {"code": "UnauthorizedOperation", "status": 403}],
    ids=["busy", "refused"],
)
@pytest.mark.parametrize("only_report", ["False", "True"])
def test_a_run_that_could_not_list_the_vaults_snapshots_fails_and_is_not_recorded(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], only_report: str
) -> None:
    old = fleet.add(OLD)
    with monkeypatch.context() as short:
        shorten(short, "AWS_ANSWER", 0)
        fleet.cloud.add_fault("ec2:DescribeSnapshots", **fault)
        with pytest.raises(UnavailableError) as failure:
            carry_out(fleet, tenant="", only_report=only_report)
    assert "Retention could not look at the snapshots of the vault, nor at any tenant." in str(failure.value)
    assert f"AWS answered {fault['code']}" in str(failure.value)
    assert "Nothing was expired or deleted." in str(failure.value)
    assert fleet.run(last_retention(fleet.vault.documents)) is None
    fleet.retain()
    assert fleet.state(old) == "expiring"
