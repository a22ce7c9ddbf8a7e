"""Recovery points whose parts have gone without our doing, and parts that no recovery point has."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.points.transitions import State
from include.rules.retention.reports import Deed
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Snapshot
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention import inventory
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import asking_elsewhere, carry_out, preview

pytestmark = pytest.mark.lab


def lose(stock: Stock, point: Manifest, *, snapshots: bool = True, files: bool = True) -> None:
    """Somebody deletes parts by hand."""
    for snapshot in stock.remaining_parts(point)[0] if snapshots else ():
        stock.ec2.delete_snapshot(SnapshotId=snapshot)
    place = stock.vault.documents
    for key in point.parts.bak.keys if files and point.parts.bak else ():
        stock.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)


def test_a_point_that_has_lost_parts_has_failed_and_the_next_best_one_stands(fleet: Stock) -> None:
    fleet.register("acme", daily=2, weekly=1, monthly=0, yearly=0)
    first = NOW.replace(hour=2)
    points = [fleet.add(first - number * DAY) for number in range(5)]
    lost, (yesterday, next_best) = [points[0], points[2]], (points[1], points[3])
    for point in lost:
        lose(fleet, point)
    report = fleet.retain()
    (message,) = report.needing_operator()
    assert message.startswith("Recovery points of tenant acme have lost parts that nobody at work here has deleted: ")
    assert f"{lost[0].id} (web_snapshot {lost[0].parts.web_snapshot.snapshot_id}" in message  # type: ignore[union-attr]
    assert "files of its .bak" in message
    assert sorted(report.tenants["acme"].done[Deed.FAILED]) == sorted(point.id for point in lost)
    explained = report.tenants["acme"].text()
    assert f"{next_best.id}: kept until 2026-07-05: weekly 2026-W26" in explained
    assert "last verified" in explained.split(f"{yesterday.id}: ")[1].splitlines()[0]
    assert [fleet.state(point) for point in points] == ["failed", "verified", "failed", "verified", "expiring"]
    failed = fleet.manifest(lost[0])
    assert failed
    assert failed.missing() == ("web_snapshot", "db_snapshot", "bak")
    assert "Found by retention on 2026-06-30: gone without its doing are web_snapshot snap-" in (failed.failure or "")
    assert fleet.retain(NOW + timedelta(hours=1)).needing_operator() == []  # told once: the manifests say it now


def test_one_missing_stripe_is_a_missing_part(fleet: Stock) -> None:
    fleet.add_daily(NOW, 2)
    point, place = fleet.add(NOW - timedelta(hours=2), kind="manual", stripes=3), fleet.vault.documents
    assert point.parts.bak
    fleet.s3.delete_object(Bucket=place.bucket, Key=place.prefix + point.parts.bak.keys[1])
    fleet.retain()
    assert fleet.state(point) == "failed"
    assert fleet.remaining_parts(point)[0]  # what is left of it stays for diagnosis


def test_a_point_that_the_listings_do_not_show_and_a_look_does_is_whole(fleet: Stock) -> None:
    """Somebody has taken the tenant's tag away: no listing by tags has the snapshot, and it is there."""
    points = fleet.add_daily(NOW, 3)
    snapshot = points[0].parts.web_snapshot.snapshot_id  # type: ignore[union-attr]
    fleet.ec2.delete_tags(Resources=[snapshot], Tags=[{"Key": "perennial:tenant"}])
    assert fleet.retain().not_done() == []
    assert fleet.state(points[0]) == "verified"


def test_an_expiring_point_that_has_lost_parts_is_not_taken_back_as_verified(fleet: Stock) -> None:
    fleet.add_daily(NOW, 3)
    point = fleet.add_expiring(OLD, NOW - timedelta(hours=2))
    lose(fleet, point, files=False)
    fleet.register("acme", daily=300, weekly=0, monthly=0, yearly=0)
    fleet.retain()
    manifest = fleet.manifest(point)
    assert manifest
    assert manifest.expiry == Expiry(marked_at=NOW - timedelta(hours=2), previous_state=State.FAILED)


def test_where_no_point_is_whole_any_more_nothing_is_written_before_a_person_has_looked(fleet: Stock) -> None:
    """In another account or Region everything is missing."""
    points = fleet.add_daily(NOW, 5)
    for point in points:
        lose(fleet, point, files=False)
    before = fleet.everything()
    message = "\n".join(fleet.retain(NOW).needing_operator())
    assert (
        "PARTS_LOST: Retention stopped for tenant acme: 5 of 5 recovery points have lost parts, and no verified one"
        in message
    )
    assert "leads to another account or Region" in message
    assert fleet.everything() == before
    assert {fleet.state(point) for point in points} == {"verified"}


def test_in_another_region_no_point_fails_for_what_is_not_shown_however_few_they_are(fleet: Stock) -> None:
    """Others have no snapshots that could be missed."""
    fleet.add_daily(NOW, 3, roles=())
    point = fleet.add(NOW - timedelta(hours=3), kind="manual")
    with asking_elsewhere(fleet):
        message = "\n".join(fleet.retain().needing_operator())
    volumes = sorted(part.volume_id for part in point.parts.snapshots)
    assert "PARTS_LOST: Retention stopped for tenant acme: 1 of 4 recovery points have lost parts, and AWS" in message
    assert f"shows neither volume {', '.join(volumes)} nor any snapshot of it" in message
    assert fleet.state(point) == "verified"
    assert fleet.retain(NOW + timedelta(minutes=1)).not_done() == []


def test_many_points_that_have_lost_parts_fail_once_a_person_has_approved_it(fleet: Stock) -> None:
    good, *points = fleet.add_daily(NOW, 6)
    for point in points:
        lose(fleet, point)
    assert "5 of 6 recovery points have lost parts." in "\n".join(fleet.retain(NOW).needing_operator())
    assert {fleet.state(point) for point in points} == {"verified"}
    assert preview(fleet)["approval"] is True
    with pytest.raises(Exception, match="have lost parts"):
        carry_out(fleet)
    assert {fleet.state(point) for point in points} == {"failed"}
    assert fleet.state(good) == "verified"


def test_an_approval_of_what_expires_is_none_of_points_that_have_lost_parts_since(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 3)
    old = stock.add(OLD)
    manual = [stock.add(NOW - number * DAY, kind="manual") for number in range(1, 6)]
    assert preview(stock)["approval"] is True
    for point in manual:
        lose(stock, point)
    with pytest.raises(Exception, match="PARTS_LOST"):
        carry_out(stock)
    assert {stock.state(point) for point in [old, *manual]} == {"verified"}
    assert preview(stock)["approval"] is True
    with pytest.raises(Exception, match="have lost parts"):
        carry_out(stock)
    assert [stock.state(point) for point in [old, *manual]] == ["expiring", *["failed"] * 5]


def test_a_verified_manifest_that_names_no_bak_has_failed_and_no_byte_beside_it_is_swept(fleet: Stock) -> None:
    """Somebody has edited the manifest: what it does not name may be the only copy."""
    fleet.add_daily(NOW, 3)
    point = fleet.add(NOW - timedelta(hours=2), kind="manual")
    remaining = fleet.remaining_parts(point)
    fleet.change(point, parts=point.parts.model_copy(update={"bak": None, "web_snapshot": None}))
    (message,) = fleet.retain().needing_operator()
    assert (
        f"{point.id} (web_snapshot, which its manifest does not name, bak, which its manifest does not name)" in message
    )
    assert fleet.remaining_parts(point) == remaining
    assert fleet.state(point) == "failed"
    assert fleet.retain(NOW + DAY).tenants["acme"].swept == []


def test_parts_without_a_manifest_are_reported_every_day_and_never_deleted(fleet: Stock) -> None:
    fleet.add_daily(NOW, 3)
    point, place = fleet.add(OLD), fleet.vault.documents
    fleet.s3.delete_object(Bucket=place.bucket, Key=f"{place.prefix}{point_prefix('acme', point.id)}manifest.json")
    remaining = fleet.remaining_parts(point)
    for day in range(2):
        (message,) = fleet.retain(NOW + timedelta(hours=day)).needing_operator()
        assert message.startswith(f"Tenant acme has snapshots or files of {point.id}, which has no manifest: snap-")
        assert all(name in message for name in (*remaining[0], *remaining[1]))
    assert fleet.remaining_parts(point) == remaining


def test_a_snapshot_that_the_look_by_tags_has_missed_goes_with_its_point(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add_daily(NOW, 3)
    old, look = fleet.add_expiring(OLD, NOW - 2 * DAY), Ebs.snapshots_of_point

    async def lagging(ebs: Ebs, point_id: str) -> list[Snapshot]:
        return [one for one in await look(ebs, point_id) if one.tags["perennial:part"] != SnapshotRole.WEB.value]

    monkeypatch.setattr(Ebs, "snapshots_of_point", lagging)
    assert fleet.retain().not_done() == []
    assert fleet.state(old) == "gone"
    assert fleet.remaining_parts(old) == ([], [])


@pytest.mark.parametrize("missing_at", [0, 1])
def test_a_part_that_one_look_has_missed_and_the_other_has_not_is_there(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch, missing_at: int
) -> None:
    """Retention looks once at the whole fleet, and once more at a tenant under its lease; the listings miss it."""
    newest, *_ = fleet.add_daily(NOW, 3)
    old, looks = fleet.add(OLD), list[int]()

    async def look(*_: object) -> dict[str, tuple[str, ...]]:
        looks.append(len(looks))
        return {newest.id: ("bak",)} if looks[-1] == missing_at else {}

    monkeypatch.setattr(inventory, "is_suspect", lambda manifest, *_: manifest.id == newest.id)
    monkeypatch.setattr(inventory, "find_lost_parts", look)
    fleet.retain()
    assert looks == [0, 1]
    assert fleet.manifest(newest) == newest
    assert fleet.state(old) == "expiring"
