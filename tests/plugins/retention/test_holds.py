"""Holds and records of tenants that have left: what a person decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.errors import PerennialError
from include.rules.points.leases import Lease
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.transitions import State
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention.holds import LiftHoldTrigger, PlaceHoldTrigger
from perennial.retention.offboarding import OffboardTenantTrigger
from perennial.steps.trigger import StepResult, StepTrigger
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.triggers import trigger_of

pytestmark = pytest.mark.lab


def decide(stock: Stock, cls: type[StepTrigger], point: Manifest | None = None, **fields: str) -> StepResult:
    """Run one of the steps by which a person decides something, as `ada`."""
    named = {"tenant": "acme", "recovery_point": point.id if point else "", "author": "ada"}
    result: StepResult = stock.run(trigger_of(cls, "one", "by_hand", **{**named, **fields}).work_within_deadline())
    return result


def hold(stock: Stock, point: Manifest, **fields: str) -> StepResult:
    return decide(stock, PlaceHoldTrigger, point, **{"reason": "case 4711", "until": "", **fields})


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, each of which has its point, the newest of today."""
    fleet.add_daily(NOW, 3)
    return fleet


def test_a_point_under_a_hold_stays_until_the_hold_is_lifted(fleet: Stock) -> None:
    old = fleet.add(OLD)
    assert hold(fleet, old)["hold"]["author"] == "ada"
    assert "kept for ever: on hold: case 4711 (ada)" in fleet.retain().tenants["acme"].text()
    assert fleet.state(old) == "verified"
    lifted = decide(fleet, LiftHoldTrigger, old, author="bob")["lifted"]
    assert (lifted["reason"], lifted["author"], lifted["ended_by"]) == ("case 4711", "ada", "bob")
    fleet.retain()
    assert fleet.state(old) == "expiring"


def test_a_hold_takes_an_expiring_point_back(fleet: Stock) -> None:
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    assert hold(fleet, old)["state"] == "verified"
    fleet.retain()
    assert fleet.state(old) == "verified"


def test_a_hold_on_a_point_whose_deletion_has_begun_spares_the_rest(fleet: Stock) -> None:
    began = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED, deletion_began_at=NOW - DAY)
    old = fleet.add(OLD, state=State.EXPIRING, expiry=began)
    fleet.ec2.delete_snapshot(SnapshotId=old.parts.db_snapshot.snapshot_id)  # type: ignore[union-attr]
    result = hold(fleet, old)
    assert result["state"] == "expiring"
    assert "db_snapshot gone, web_snapshot, bak left and spared. It cannot be restored any more." in result["message"]
    assert "spared, although parts of it were deleted" in fleet.retain().tenants["acme"].text()
    assert [len(parts) for parts in fleet.remaining_parts(old)] == [1, 2]


def test_a_hold_takes_back_a_point_whose_deletion_has_taken_nothing_yet(fleet: Stock) -> None:
    """AWS was throttling: it began, and got nowhere."""
    began = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED, deletion_began_at=NOW - DAY)
    old = fleet.add(OLD, state=State.EXPIRING, expiry=began)
    far = datetime.now(UTC) + timedelta(hours=1)
    busy = Lease(tenant="acme", owner="test/retention/one", purpose="retention", token=7, expires_at=far)
    fleet.run(fleet.vault.change_lease("acme", lambda _: busy))
    assert "a run is still at work on the tenant" in hold(fleet, old)["message"]
    assert fleet.state(old) == "expiring"
    free = busy.model_copy(update={"expires_at": NOW, "token": 8})
    fleet.run(fleet.vault.change_lease("acme", lambda _: free))
    assert hold(fleet, old)["state"] == "verified"
    fleet.retain()
    assert fleet.state(old) == "verified"


def test_a_hold_of_somebody_else_is_not_replaced_before_it_is_lifted(fleet: Stock) -> None:
    old = fleet.add(OLD)
    hold(fleet, old, reason="court 4711")
    with pytest.raises(PerennialError, match=r"under a hold already, for ever \(court 4711, placed by ada\)"):
        hold(fleet, old, author="bob", reason="look at it", until=str((datetime.now(UTC) + DAY).date()))
    decide(fleet, LiftHoldTrigger, old, author="bob")
    assert hold(fleet, old, author="bob", reason="look at it")["hold"]["author"] == "bob"


def test_a_manifest_in_another_points_place_is_not_held(fleet: Stock) -> None:
    point, place = fleet.add(OLD), fleet.vault.documents
    keys = [f"{place.prefix}{point_prefix('acme', name)}manifest.json" for name in (point.id, "acme-daily-20200101")]
    fleet.s3.copy_object(Bucket=place.bucket, Key=keys[1], CopySource={"Bucket": place.bucket, "Key": keys[0]})
    with pytest.raises(
        PerennialError, match=f"acme-daily-20200101/manifest.json in the vault says that it is {point.id} of acme"
    ):
        hold(fleet, point, recovery_point="acme-daily-20200101")
    assert fleet.manifest(point) == point


def test_a_hold_with_a_last_day_ends_by_itself(fleet: Stock) -> None:
    old = fleet.add(OLD)
    day = (datetime.now(UTC) + DAY).date()
    assert hold(fleet, old, until=str(day))["hold"]["until"] == str(day)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    fleet.add_daily(noon + DAY, 3)
    fleet.retain(noon)
    assert fleet.state(old) == "verified"
    fleet.retain(noon + DAY)
    assert fleet.state(old) == "expiring"


def test_a_hold_without_a_known_author_names_the_run(fleet: Stock) -> None:
    result = hold(fleet, fleet.add(OLD), author="")
    assert result["hold"]["author"] == "unknown, by run test/by_hand/one"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reason": " "}, "has no reason"),
        ({"until": "2026-01-01"}, "2026-01-01 is over"),
        ({"until": "next year"}, "'next year' is not a date"),
        ({"recovery_point": "acme-daily-19990101"}, "no recovery point 'acme-daily-19990101' of tenant 'acme'"),
        ({"tenant": "globex"}, "of tenant 'globex'"),
    ],
)
def test_a_hold_that_cannot_be_meant_is_refused_and_changes_nothing(
    fleet: Stock, fields: dict[str, str], complaint: str
) -> None:
    old = fleet.add(OLD)
    with pytest.raises(PerennialError, match=complaint):
        hold(fleet, old, **fields)
    assert fleet.manifest(old) == old


def test_a_hold_that_is_not_there_cannot_be_lifted(fleet: Stock) -> None:
    with pytest.raises(PerennialError, match="is under no hold"):
        decide(fleet, LiftHoldTrigger, fleet.add(OLD))


def test_a_tenant_that_has_left_keeps_what_its_policy_keeps_until_its_last_day(fleet: Stock) -> None:
    old, last = fleet.add(OLD), (datetime.now(UTC) + DAY).date()
    result = decide(fleet, OffboardTenantTrigger, final_until=str(last))
    assert (result["author"], result["final_until"], result["retention"]["daily"]) == ("ada", str(last), 3)
    fleet.register("globex")
    report = fleet.retain()
    assert (fleet.state(old), report.needing_operator()) == ("expiring", [])


def test_nobody_leaves_who_was_never_there(fleet: Stock) -> None:
    with pytest.raises(PerennialError, match="no recovery points of a tenant 'globex'"):
        decide(fleet, OffboardTenantTrigger, tenant="globex", final_until="2099-12-31")
