"""Retention of a tenant that a restore has left half restored: what is needed to mend it stays."""

from __future__ import annotations

import pytest

from include.rules.restore.choice import choose_point
from include.rules.restore.record import CHECK, COPY_FILES
from include.rules.retention.reports import Deed
from tests.support.retention import DAY, NOW, Stock
from tests.unit.restore.test_record import done, opened

pytestmark = pytest.mark.lab


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
