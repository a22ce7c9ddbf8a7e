"""Shared snapshots whose documents, snapshots and points do not fit together: named, and never deleted for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.manifest import Expiry
from include.rules.points.parts import SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import State
from include.rules.retention import shared as rules
from include.rules.retention.reports import Deed
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention.lost_parts import find_absent_parts
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import (
    add_shared,
    add_sharing,
    assert_gone,
    current,
    find,
    is_there,
    snapshot_of,
    two_of_today,
    use,
    users,
)

pytestmark = pytest.mark.lab

TODAY = NOW - timedelta(hours=3)
MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)
BEGUN = MARKED.model_copy(update={"deletion_began_at": NOW - DAY})


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet, points=2)


def delete_document(stock: Stock, document: SharedSnapshot) -> None:
    place = stock.vault.documents
    key = stock.vault.shared_snapshots.key(document.volume, document.id)
    stock.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)


def test_a_snapshot_that_somebody_has_deleted_fails_all_points_that_use_it_each_by_name(fleet: Stock) -> None:
    points, (web, database) = add_sharing(fleet, TODAY, kind="manual")
    fleet.ec2.delete_snapshot(SnapshotId=web.snapshot_id)
    report = fleet.retain()
    messages = report.needing_operator()
    assert len(messages) == 2
    for point, message in zip(points, messages, strict=True):
        assert message.startswith(f"Recovery points of tenant {point.tenant} have lost parts")
        assert f"{point.id} (web_snapshot {web.snapshot_id})" in message
        assert report.tenants[point.tenant].done == {Deed.FAILED: [point.id]}
        assert fleet.state(point) == "failed"
    assert fleet.retain(NOW + timedelta(hours=1)).not_done() == []
    for point in points:
        fleet.change(point, state=State.EXPIRING, expiry=BEGUN)
    assert fleet.retain(NOW + timedelta(hours=2)).not_done() == []
    assert_gone(fleet, web, database)


def test_a_point_that_is_half_deleted_is_not_whole_because_others_keep_the_snapshot(fleet: Stock) -> None:
    """A hold brings a point back of which nothing has gone: its place on a list is a part of it."""
    (acme, _), (web, _) = add_sharing(fleet, OLD)
    fleet.change(acme, state=State.EXPIRING, expiry=BEGUN)
    manifest = fleet.manifest(acme)
    assert manifest
    assert fleet.run(find_absent_parts(fleet.vault, [manifest])) == {}
    left = web.left("acme", acme.id, 0)
    fleet.run(fleet.vault.shared_snapshots.put(left))
    assert fleet.run(find_absent_parts(fleet.vault, [manifest])) == {acme.id: ("web_snapshot",)}


def test_a_document_that_somebody_has_deleted_is_reported_and_its_snapshot_stays(fleet: Stock) -> None:
    """The points can still be restored, and go like any other; the snapshot is for a person to delete."""
    (acme, globex), (web, database) = add_sharing(fleet, TODAY, kind="manual")
    delete_document(fleet, web)
    fleet.change(acme, state=State.EXPIRING, expiry=BEGUN)
    for hours in range(2):
        (message,) = fleet.retain(NOW + timedelta(hours=hours)).needing_operator()
        assert f"Snapshots of volume {web.volume} carry the tag of claim {web.tag}" in message
        assert web.snapshot_id in message  # type: ignore[operator]
    assert (fleet.state(acme), fleet.state(globex)) == ("gone", "verified")
    assert is_there(fleet, web)
    assert users(fleet, database) == [globex.id]


def test_a_document_that_cannot_be_read_keeps_its_points_and_its_snapshot(fleet: Stock) -> None:
    (acme, globex), (web, database) = add_sharing(fleet, OLD)
    place, key = fleet.vault.documents, fleet.vault.shared_snapshots.key(web.volume, web.id)
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 2}')
    for point in (acme, globex):
        fleet.change(point, state=State.EXPIRING, expiry=MARKED)
    messages = fleet.retain().needing_operator()
    assert len(messages) == 3
    assert all(f"{key} in the vault is not a SharedSnapshot that this version understands" in one for one in messages)
    assert (fleet.state(acme), fleet.state(globex)) == ("expiring", "expiring")
    assert is_there(fleet, web)
    assert is_there(fleet, database)


def test_a_user_without_a_manifest_is_reported_and_keeps_its_place(fleet: Stock) -> None:
    (acme, _), shared = add_sharing(fleet, OLD)
    place = fleet.vault.documents
    key = f"{place.prefix}{point_prefix('acme', acme.id)}"
    for name in ("manifest.json", "full-01.bak"):
        fleet.s3.delete_object(Bucket=place.bucket, Key=key + name)
    (message,) = fleet.retain().needing_operator()
    assert message.startswith(f"Recovery point {acme.id} of tenant acme uses shared snapshots (")
    assert all(acme.id in users(fleet, one) for one in shared)


def test_a_point_that_its_snapshot_does_not_know_of_is_reported(fleet: Stock) -> None:
    (acme, _), (web, _) = add_sharing(fleet, TODAY, kind="manual")
    fleet.run(fleet.vault.shared_snapshots.put(web.left("acme", acme.id, 0)))
    (message,) = fleet.retain().needing_operator()
    assert message.startswith(
        f"Recovery point {acme.id} of tenant acme uses shared snapshot {web.id} of volume {web.volume}, and is not on"
    )
    assert fleet.state(acme) == "verified"


def test_an_empty_list_of_a_snapshot_that_a_point_needs_deletes_nothing(fleet: Stock) -> None:
    """Somebody has emptied it by hand: the manifest is believed before the list."""
    (acme,), (web, _) = add_sharing(fleet, TODAY, ["acme"], kind="manual")
    fleet.run(fleet.vault.shared_snapshots.put(web.left("acme", acme.id, 0)))
    for hours in range(2):
        report = fleet.retain(NOW + timedelta(hours=hours))
        (message,) = report.needing_operator()
        assert f"uses shared snapshot {web.id} of volume {web.volume}, and is not on the list" in message
        assert report.shared.deleted == []
    assert is_there(fleet, web)
    assert fleet.state(acme) == "verified"


def test_a_verified_point_of_a_document_that_cannot_be_read_stays_and_its_tenant_goes_on(fleet: Stock) -> None:
    (acme,), (web, _) = add_sharing(fleet, TODAY, ["acme"], kind="manual")
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    place, key = fleet.vault.documents, fleet.vault.shared_snapshots.key(web.volume, web.id)
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 2}')
    (message,) = fleet.retain().needing_operator()
    assert f"{key} in the vault is not a SharedSnapshot that this version understands" in message
    assert (fleet.state(acme), fleet.state(old)) == ("verified", "gone")
    assert is_there(fleet, web)


def test_extras_of_a_claim_go_once_they_are_an_hour_old(fleet: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    points, (web, _) = add_sharing(fleet, TODAY, kind="manual")
    extra = snapshot_of(fleet, web.volume, web.tag)
    assert fleet.retain().to_json()["shared_snapshots_deleted"] == []
    assert extra in fleet.snapshots()
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    report = fleet.retain()
    assert report.shared.deleted == [f"{extra} of {web.id} of volume {web.volume}"]
    assert extra not in fleet.snapshots()
    assert is_there(fleet, web)
    assert {fleet.state(point) for point in points} == {"verified"}


def test_a_claim_that_was_given_up_goes_with_all_that_was_asked_for(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers were lost, also before a second look: both snapshots are there, and no document names them."""
    claim = add_shared(
        fleet, OLD, state=ShareState.DELETING, snapshot_id=None, started_at=None, former_nonces=("before",)
    )
    former = snapshot_of(fleet, claim.volume, f"{claim.id}.before")
    assert len(fleet.retain().shared.deleted) == 2
    assert former not in fleet.snapshots()
    assert current(fleet, claim).state is ShareState.DELETING  # for an hour one more may turn up
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    fleet.retain()
    assert find(fleet, claim) is None


def test_a_snapshot_without_its_tags_is_not_deleted(fleet: Stock) -> None:
    (acme,), (web, _) = add_sharing(fleet, OLD, ["acme"])
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    fleet.ec2.delete_tags(Resources=[web.snapshot_id], Tags=[{"Key": "perennial:claim"}])
    (message,) = fleet.retain().needing_operator()
    assert "no longer carries the tags of this vault and this claim" in message
    assert fleet.ec2.describe_snapshots(SnapshotIds=[web.snapshot_id])["Snapshots"]
    assert current(fleet, web).state is ShareState.DELETING
    assert fleet.state(acme) == "gone"


def test_no_call_of_ec2_is_made_for_a_tenant_of_which_nothing_goes(fleet: Stock) -> None:
    fleet.register(*(f"t{number}" for number in range(6)), daily=3, weekly=0, monthly=0, yearly=0)
    shared = {role: add_shared(fleet, TODAY) for role in SnapshotRole}
    for tenant in fleet.tenants:
        use(fleet, fleet.add(TODAY, tenant=tenant, roles=()), shared)
    fleet.cloud.clear_faults()
    fleet.cloud.add_fault("ec2:*", delay=0.001, times=None)
    fleet.retain()
    assert [hit["call"].split(" ")[0] for hit in fleet.cloud.fault_hits()] == ["ec2:DescribeSnapshots"]
