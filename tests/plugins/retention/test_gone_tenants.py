"""Where the bytes of a tenant that has left still are: in all snapshots of its volumes from before its data went."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.rules.errors import PerennialError
from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.transitions import State
from include.rules.retention.expiry import held
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.reports import FleetReport
from include.rules.retention.shared import BYTES_STAY
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention.offboarding import OffboardTenantTrigger
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import add_shared, add_sharing, join, two_of_today, use
from tests.support.triggers import trigger_of

pytestmark = pytest.mark.lab

TODAY = datetime.now(UTC).date()
"""AWS starts all snapshots of a test at the moment of the test."""
YESTERDAY = TODAY - DAY
MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


def leave(stock: Stock, **changes: Any) -> None:
    """Acme has left: it is taken out of the register, and recorded as gone."""
    policy = stock.read_register().tenants["globex"].plan.retention
    stock.register(*(tenant for tenant in stock.tenants if tenant != "acme"))
    record = Offboarding(
        tenant="acme", left_at=NOW - DAY, final_until=(NOW + DAY).date(), author="ada", retention=policy
    )
    stock.run(stock.vault.offboarded.put(record.model_copy(update=changes)))


def record_of(stock: Stock) -> Offboarding:
    version = stock.run(stock.vault.offboarded.get("acme", "acme"))
    record: Offboarding = version.value
    return record


def decide(stock: Stock, **fields: str) -> Offboarding:
    """Start `offboard_tenant` for acme."""
    form = {"tenant": "acme", "author": "ada", "final_until": "", "data_removed_on": "", **fields}
    stock.run(trigger_of(OffboardTenantTrigger, "one", "by_hand", **form).work_within_deadline())
    return record_of(stock)


def delete_below(stock: Stock, prefix: str) -> None:
    place = stock.vault.documents
    for key in stock.keys(prefix):
        stock.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)


def bury_all_of_acme(stock: Stock) -> None:
    """Its last recovery point has gone, and with it the snapshots that nobody else used."""
    for point in stock.run(stock.vault.manifests("acme")):
        stock.run(stock.vault.tombstones.create(point.model_copy(update={"state": State.EXPIRED, "expiry": MARKED})))
        delete_below(stock, point_prefix("acme", point.id))
        for volume, claim in point.parts.claims:
            delete_below(stock, f"shared-snapshots/{volume}/{claim}.json")
        for snapshot in point.parts.snapshot_ids:
            stock.ec2.delete_snapshot(SnapshotId=snapshot)


def note_of(report: FleetReport) -> str:
    """What the report says of where the bytes of tenants are that have left."""
    return "\n".join(note for note in report.shared.notes if "has left on" in note)


def join_a_volume_of_acme(stock: Stock, time: datetime) -> str:
    """A web volume on which acme has a point, whose snapshot then goes; nobody else has looked at acme on it."""
    shared = add_shared(stock, time)
    point = use(stock, stock.add(time, roles=(), kind="manual"), {SnapshotRole.WEB: shared})
    stock.change(point, left_out={PartName.DB_SNAPSHOT: "a small point"})
    return shared.volume


def of_globex_on(stock: Stock, volume: str, time: datetime) -> Manifest:
    """A point of globex alone, on a claim that has never heard of acme."""
    shared = add_shared(stock, time, volume=volume, number=2)
    point = use(stock, stock.add(time, tenant="globex", roles=(), kind="manual"), {SnapshotRole.WEB: shared})
    stock.change(point, left_out={PartName.DB_SNAPSHOT: "a small point"})
    return point


def test_a_neighbours_snapshots_are_named_and_how_long_they_are_kept(fleet: Stock) -> None:
    (acme, globex), (web, _) = add_sharing(fleet, OLD)
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    until = (NOW + 30 * DAY).date()
    hold = Hold(reason="audit", author="ada", placed_at=NOW, until=until)
    fleet.run(fleet.vault.change_point("globex", globex.id, lambda manifest: held(manifest, hold)))
    join(fleet, web, fleet.add(OLD - DAY, tenant="acme", roles=()))
    leave(fleet)
    report = fleet.retain()
    assert BYTES_STAY in report.tenants["acme"].text()
    note = note_of(report)
    assert note.startswith("Tenant acme has left on 2026-06-29: its bytes are still in 4 snapshots of vol-")
    assert f"the last of the others is kept until {until}" in note or f"the last is kept until {until}" in note
    assert "record the day on which it was removed (`offboard_tenant`)" in note


def test_a_snapshot_counts_of_whose_claim_nobody_has_looked_at_the_tenant(fleet: Stock) -> None:
    """Taken out of the register first and removed from the server later; a look at one tenant alone has no other."""
    volume = join_a_volume_of_acme(fleet, OLD)
    bury_all_of_acme(fleet)
    of_globex_on(fleet, volume, OLD)
    leave(fleet)
    note = note_of(fleet.retain())
    assert f"still in 1 snapshot of {volume}, which 1 recovery point uses; 1 has no known end" in note


def test_so_does_one_that_belongs_to_a_neighbours_point_alone(fleet: Stock) -> None:
    """As manifests of versions 1 and 2 have them: they have no document."""
    own = fleet.add(OLD, tenant="globex", kind="manual", roles=[SnapshotRole.WEB])
    assert own.parts.web_snapshot
    volume = own.parts.web_snapshot.volume_id
    leave(fleet, volumes=(volume,))
    assert f"snapshot of {volume}, which 1 recovery point uses; 1 has no known end" in note_of(fleet.retain())


def test_none_counts_that_was_started_after_the_day_on_which_the_data_was_removed(fleet: Stock) -> None:
    volume = join_a_volume_of_acme(fleet, OLD)
    bury_all_of_acme(fleet)
    of_globex_on(fleet, volume, OLD)
    leave(fleet, data_removed_on=TODAY)
    assert f"Its data was removed from the servers on {TODAY}." in note_of(fleet.retain())
    decide(fleet, data_removed_on=str(YESTERDAY))
    assert note_of(fleet.retain()) == ""


def test_the_volumes_of_a_tenant_outlive_its_last_manifest_and_its_tombstones(fleet: Stock) -> None:
    volume = join_a_volume_of_acme(fleet, OLD)
    of_globex_on(fleet, volume, OLD)
    leave(fleet)
    fleet.retain(dry_run=True)
    assert record_of(fleet).volumes == ()
    fleet.retain()
    assert volume in record_of(fleet).volumes
    bury_all_of_acme(fleet)
    delete_below(fleet, "expired/acme/")
    assert volume in note_of(fleet.retain())


def test_volumes_that_a_document_may_name_which_cannot_be_read_are_not_taken_for_all(fleet: Stock) -> None:
    volume = join_a_volume_of_acme(fleet, OLD)
    leave(fleet)
    place, broken = fleet.vault.documents, fleet.vault.tombstones.key("acme", "acme-daily-20200101")
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + broken, Body=b'{"version": 9}')
    report = fleet.retain()
    assert any(broken in message for message in report.needing_operator())
    assert volume in note_of(report)
    assert record_of(fleet).volumes == ()


def test_a_tenant_of_which_nothing_tells_where_it_was_is_named(fleet: Stock) -> None:
    bury_all_of_acme(fleet)
    delete_below(fleet, "expired/acme/")
    leave(fleet)
    assert "whether snapshots hold its bytes is not known" in note_of(fleet.retain())


def test_where_aws_does_not_say_what_there_is_the_tenants_are_named_all_the_same(fleet: Stock) -> None:
    volume = join_a_volume_of_acme(fleet, OLD)
    leave(fleet, volumes=(volume,))
    fleet.cloud.add_fault("ec2:DescribeSnapshots", match=volume, code="UnauthorizedOperation", status=403, times=None)
    (message,) = fleet.retain().needing_operator()
    assert message.startswith("Where the bytes of tenants are that have left (acme): AWS could not be asked")


def test_the_day_on_which_the_data_went_is_recorded_after_the_last_point_has_gone(fleet: Stock) -> None:
    volume = join_a_volume_of_acme(fleet, OLD)
    final = (datetime.now(UTC) + 30 * DAY).date()
    first = decide(fleet, final_until=str(final))
    assert (first.data_removed_on, first.final_until) == (None, final)
    assert {volume, fleet.read_register().tenants["acme"].web.volume} <= set(first.volumes)
    bury_all_of_acme(fleet)
    second = decide(fleet, data_removed_on=str(TODAY))
    assert second == first.model_copy(update={"data_removed_on": TODAY})
    assert decide(fleet, final_until=str(final + DAY)).data_removed_on == TODAY


@pytest.mark.parametrize("day", [TODAY + 2 * DAY, date(2999, 1, 1), "soon"])
def test_a_removal_that_is_still_to_come_is_not_recorded(fleet: Stock, day: date | str) -> None:
    final = str((datetime.now(UTC) + DAY).date())
    with pytest.raises(PerennialError, match=r"is still to come|is not a date"):
        decide(fleet, final_until=final, data_removed_on=str(day))
    assert fleet.run(fleet.vault.offboarded.get("acme", "acme")) is None
