"""Retention of a tenant that a restore has left half restored: what is needed to mend it stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.restore.choice import choose_point
from include.rules.restore.record import CHECK, COPY_FILES, RestoreRecord
from include.rules.retention.reports import Deed
from tests.support.retention import DAY, NOW, Stock
from tests.unit.restore.test_record import done, opened, planned

pytestmark = pytest.mark.lab


def add_restore(stock: Stock, number: int, record: RestoreRecord) -> RestoreRecord:
    """Put the record into the vault as that of the restore with this number."""
    added: RestoreRecord = record.model_copy(update={"id": f"acme-restore-{number:02}"})
    stock.run(stock.vault.restores.create(added))
    return added


def damage_restore(stock: Stock, record: RestoreRecord) -> str:
    """Let the record be one that nobody can read; returns its key."""
    key, place = stock.vault.restores.key("acme", record.id), stock.vault.documents
    stock.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 9}')
    return key


def test_three_nights_of_backups_of_a_half_restored_tenant_take_no_good_point(fleet: Stock) -> None:
    good = fleet.add_daily(NOW - 3 * DAY, 2)
    fleet.add_daily(NOW, 3, half_restored="acme-restore-1")
    before = fleet.everything()
    for days in (0, 1.01):
        report = fleet.retain(NOW + days * DAY)
        assert "half restored" in report.needing_operator()[0]
    assert fleet.everything() == before
    assert choose_point(fleet.run(fleet.vault.manifests("acme")), "acme", None).id == good[0].id


def test_the_points_of_an_unfinished_restore_stay_until_it_comes_to_its_end(fleet: Stock) -> None:
    fleet.add_daily(NOW, 3)
    source, safety = fleet.add(NOW - 60 * DAY), fleet.add(NOW - 20 * DAY, kind="safety")
    begun = opened(recovery_point=source.id).beginning_on(COPY_FILES, "/srv/acme/site")
    record = fleet.run(fleet.vault.restores.create(begun.model_copy(update={"safety_point": safety.id})))
    report = fleet.retain().tenants["acme"]
    assert report.done == {}
    assert report.text().count("restore acme-restore-1 is unfinished") == 2
    fleet.run(fleet.vault.restores.replace(done(record.value, CHECK), record.etag))
    assert sorted(fleet.retain().tenants["acme"].done[Deed.MARKED]) == sorted([source.id, safety.id])


def test_any_number_of_previews_after_it_leave_the_points_of_an_unfinished_restore_protected(fleet: Stock) -> None:
    fleet.add_daily(NOW, 3)
    source = fleet.add(NOW - 60 * DAY)
    add_restore(fleet, 0, opened(recovery_point=source.id).beginning_on(COPY_FILES, "/srv/acme/site"))
    for number in range(1, 40):
        add_restore(fleet, number, planned())
    assert fleet.retain().tenants["acme"].done == {}
    assert fleet.state(source) == "verified"


def test_a_restore_whose_record_cannot_be_read_keeps_every_point_and_is_named(fleet: Stock) -> None:
    fleet.register("acme", "globex", daily=3, weekly=0, monthly=0, yearly=0)
    old, expiring = fleet.add(NOW - 60 * DAY), fleet.add_expiring(NOW - 50 * DAY, NOW - 2 * DAY)
    for tenant in fleet.tenants:
        fleet.add_daily(NOW, 3, tenant=tenant)
    others = fleet.add(NOW - 60 * DAY, tenant="globex")
    record = add_restore(fleet, 0, done(opened().beginning_on(COPY_FILES, "/srv/acme/site"), CHECK))
    key = damage_restore(fleet, record)
    report = fleet.retain()
    (message,) = report.needing_operator()
    assert message.startswith("Tenant acme may be half restored: the record of a restore cannot be read.")
    assert key in message
    assert f"the record of restore {record.id} cannot be read" in report.tenants["acme"].text()
    assert (fleet.state(old), fleet.state(expiring)) == ("verified", "verified")
    assert fleet.state(others) == "expiring", "another tenant's points go as ever"


def test_a_record_that_nobody_has_written_since_a_restore_ended_whole_is_not_asked(fleet: Stock) -> None:
    fleet.add_daily(NOW, 3)
    old = fleet.add(NOW - 60 * DAY)
    damage_restore(fleet, add_restore(fleet, 0, planned()))
    whole = done(opened().beginning_on(COPY_FILES, "/srv/acme/site"), CHECK)
    add_restore(fleet, 1, whole.model_copy(update={"opened_at": datetime.now(UTC) + timedelta(minutes=6)}))
    assert fleet.retain().needing_operator() == []
    assert fleet.state(old) == "expiring"
