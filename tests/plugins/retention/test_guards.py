"""What stops retention: each guard leaves everything as it was, says why, and names the run to start."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from include.rules.errors import PerennialError
from include.rules.points.leases import Lease
from include.rules.points.parts import SnapshotRole
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.records import LastRun
from include.rules.retention.reports import Deed
from perennial.retention.fleet import Retention
from perennial.retention.last_run import last_retention, record_retention
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import carry_out, preview

pytestmark = pytest.mark.lab


def assert_stopped(stock: Stock, now: datetime, *parts: str) -> str:
    """A run over the fleet changes nothing and says all these parts; returns what it says to a person."""
    before = stock.everything()
    states = {point.id: point.state for point in stock.run(stock.vault.manifests("acme"))}
    report = stock.retain(now)
    assert stock.everything() == before
    assert {point.id: point.state for point in stock.run(stock.vault.manifests("acme"))} == states
    message = " ".join(report.not_done())
    for part in parts:
        assert part in message
    return " ".join(report.needing_operator())


def test_max_delete_stops_the_tenant_and_names_the_run_that_asks(too_many: Stock) -> None:
    message = assert_stopped(too_many, NOW, "MAX_DELETE", "would expire 10 of 13", "nothing was expired or deleted")
    assert "Start `retention` with `tenant: acme`: it shows the plan, asks for approval and goes on." in message


def test_max_delete_of_the_fleet_stops_every_tenant(stock: Stock) -> None:
    tenants = [f"tenant-{number}" for number in range(3)]
    stock.register(*tenants, daily=3, weekly=0, monthly=0, yearly=0)
    for tenant in tenants:
        stock.add_daily(NOW, 3, tenant=tenant, roles=())
        stock.add_daily(NOW - 60 * DAY, 2, tenant=tenant, roles=())
    before = stock.everything()
    report = stock.retain()
    assert stock.everything() == before
    (message,) = report.needing_operator()
    assert "MAX_DELETE: Retention stopped for all tenants: the plans would expire 6 of 15 recovery points" in message
    assert all(not of_tenant.done for of_tenant in report.tenants.values())


def test_a_stale_tenant_keeps_everything_and_nobody_is_called_twice(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW - 3 * DAY, 4)
    message = assert_stopped(stock, NOW, "STALE", "has no newer verified recovery point than", "`manual_backup`")
    assert message == ""


def test_a_plan_that_keeps_no_verified_point_deletes_nothing(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No policy can make such a plan; rules are taken out of the planner to see that the guard does not trust it."""
    stock.register("acme", hourly_hours=1)
    stock.add(NOW - timedelta(hours=3), kind="hourly")
    stock.add_expiring(NOW - timedelta(hours=40), NOW - 2 * DAY, kind="hourly")
    monkeypatch.setattr("include.rules.retention.plan.last_verified", lambda _: None)
    monkeypatch.setattr("include.rules.retention.plan.tiers", lambda *_: ())
    message = assert_stopped(stock, NOW, "NOTHING_KEPT", "nothing was expired or deleted")
    assert "the plan keeps none of its 2 verified recovery points" in message
    assert "start `retention` with `tenant: acme` and `dry_run`" in message


def test_nothing_of_a_suspended_tenant_is_swept(stock: Stock) -> None:
    point = stock.add(NOW - 100 * DAY, kind="manual")
    extra = stock.add_snapshot(point, SnapshotRole.WEB, NOW).snapshot_id
    entries = yaml.safe_load((stock.config / "tenants.yaml").read_text())
    entries["tenants"][0]["suspended"] = True
    (stock.config / "tenants.yaml").write_text(yaml.safe_dump(entries))
    assert assert_stopped(stock, NOW, "STALE", "it is suspended") == ""
    stock.register("acme")
    stock.add_daily(NOW, 1)
    assert stock.retain().tenants["acme"].swept == [extra]


def test_points_of_a_tenant_that_nobody_knows_are_reported_and_never_deleted(stock: Stock) -> None:
    stock.add_daily(NOW - 60 * DAY, 3)
    stock.register("globex")
    known = "UNKNOWN_TENANT: The vault has 3 recovery points of tenant acme"
    message = assert_stopped(stock, NOW, known, "not in the register")
    assert "start `offboard_tenant` with `tenant: acme`" in message


def test_a_tenant_whose_entry_is_wrong_keeps_everything(stock: Stock) -> None:
    stock.add_daily(NOW - 60 * DAY, 3)
    entries = yaml.safe_load((stock.config / "tenants.yaml").read_text())
    entries["tenants"][0]["plan"] = "no-such-plan"
    (stock.config / "tenants.yaml").write_text(yaml.safe_dump(entries))
    assert "its entry in the register cannot be used" in assert_stopped(stock, NOW, "UNKNOWN_TENANT", "no-such-plan")
    offboard(stock, NOW + DAY)
    assert "though it is recorded as gone" in assert_stopped(stock, NOW, "UNKNOWN_TENANT", "offboarded/acme.json")


def test_a_policy_that_keeps_nothing_is_refused_by_name_and_its_tenants_keep_everything(stock: Stock) -> None:
    stock.add_daily(NOW - 60 * DAY, 3)
    stock.register("acme", daily=0, weekly=0, monthly=0, yearly=0)
    assert "no usable plan" in assert_stopped(stock, NOW, "UNKNOWN_TENANT")
    assert "EMPTY_POLICY" in str(stock.read_register().problems)


def test_a_tenant_that_is_gone_and_in_the_register_keeps_everything(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 6)
    offboard(stock, NOW + DAY)
    message = assert_stopped(stock, NOW, "OFFBOARDED", "and is in the register", "nothing was expired or deleted")
    assert "Take the tenant out of the register, or delete offboarded/acme.json from the vault" in message


def offboard(stock: Stock, until: datetime) -> None:
    policy = RetentionPolicy(daily=3, weekly=0, monthly=0, yearly=0)
    record = Offboarding(tenant="acme", left_at=NOW - DAY, final_until=until.date(), author="ada", retention=policy)
    stock.run(stock.vault.offboarded.put(record))


def test_the_last_points_of_a_tenant_that_has_left_go_after_their_day_and_an_approval(stock: Stock) -> None:
    points = stock.add_daily(NOW - 60 * DAY, 2)
    offboard(stock, NOW - DAY)
    stock.register("globex")
    assert "OFFBOARDED" in assert_stopped(stock, NOW, "its last points were to be kept until")
    assert preview(stock)["approval"] is True
    assert sorted(carry_out(stock)["marked"]) == sorted(point.id for point in points)
    stock.retain(NOW + DAY)
    assert {stock.state(point) for point in points} == {"gone"}


def test_the_fleets_run_goes_on_past_one_tenants_trouble_and_fails_at_its_end(stock: Stock) -> None:
    stock.register("acme", "globex", "initech", daily=3, weekly=0, monthly=0, yearly=0)
    old = {}
    for tenant in stock.tenants:
        stock.add_daily(NOW, 3, tenant=tenant)
        stock.add_daily(NOW - 3 * DAY, 10, tenant=tenant, kind="manual", roles=())
        old[tenant] = stock.add(OLD, tenant=tenant)
    place = stock.vault.documents
    damaged = f"{place.prefix}recovery-points/acme/acme-manual-20260101T000000Z/manifest.json"
    stock.s3.put_object(Bucket=place.bucket, Key=damaged, Body=b"{")
    far = datetime.now(UTC) + timedelta(hours=1)
    busy = Lease(tenant="globex", owner="test/restore/one", purpose="restore", token=7, expires_at=far)
    stock.run(stock.vault.change_lease("globex", lambda _: busy))
    with pytest.raises(
        PerennialError, match=r"left 1 things to a person: .*acme-manual-20260101T000000Z.* is no JSON"
    ) as failed:
        carry_out(stock, tenant="")
    assert " kept, 2 marked. Not done either, and left to the next run: " in str(failed.value)
    assert "globex" in str(failed.value), "a tenant that is left out is named"
    assert "Do what each of them says" in str(failed.value)
    assert {tenant: stock.state(point) for tenant, point in old.items()} == {
        "acme": "expiring",
        "globex": "verified",
        "initech": "expiring",
    }
    assert stock.run(last_retention(place))


def test_one_tenants_lease_that_cannot_be_read_stops_no_other(stock: Stock) -> None:
    stock.register("acme", "globex", daily=3, weekly=0, monthly=0, yearly=0)
    for tenant in stock.tenants:
        stock.add_daily(NOW, 3, tenant=tenant)
    old = {tenant: stock.add(OLD, tenant=tenant) for tenant in stock.tenants}
    place = stock.vault.documents
    stock.s3.put_object(Bucket=place.bucket, Key=f"{place.prefix}leases/acme.json", Body=json.dumps([]).encode())
    (message,) = stock.retain().needing_operator()
    assert "leases/acme.json" in message
    assert {tenant: stock.state(point) for tenant, point in old.items()} == {"acme": "verified", "globex": "expiring"}


def test_a_manifest_in_another_points_place_is_named_and_left_alone(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 3)
    point = stock.add(OLD)
    place = stock.vault.documents
    copy = f"{place.prefix}recovery-points/acme/acme-daily-20200101/manifest.json"
    source = {"Bucket": place.bucket, "Key": f"{place.prefix}recovery-points/acme/{point.id}/manifest.json"}
    stock.s3.copy_object(Bucket=place.bucket, Key=copy, CopySource=source)
    (message,) = stock.retain().needing_operator()
    assert "recovery-points/acme/acme-daily-20200101/manifest.json in the vault says" in message
    assert f"says that it is {point.id} of acme" in message
    assert stock.state(point) == "expiring", "the point itself is treated like any other"
    stock.retain(NOW + DAY)
    assert stock.keys("recovery-points/acme/acme-daily-2020") == [copy.removeprefix(place.prefix)]


def test_the_last_completed_run_is_remembered_and_never_goes_back(stock: Stock) -> None:
    documents = stock.vault.documents
    stock.retain(NOW)
    stock.run(record_retention(documents, NOW - DAY, "test/retention/late"))
    assert stock.run(last_retention(documents)) == LastRun(at=NOW, owner="test/retention/run-1")


def test_a_last_run_that_is_yet_to_come_is_passed_over_and_replaced(
    stock: Stock, caplog: pytest.LogCaptureFixture
) -> None:
    stock.register("acme", hourly_hours=3)
    stock.add(NOW.replace(hour=2))
    for hours in range(1, 9):
        stock.add(NOW - timedelta(hours=hours), kind="hourly")
    documents = stock.vault.documents
    stock.run(record_retention(documents, NOW + 365 * DAY, "test/retention/ahead"))
    report = stock.retain(NOW)
    assert report.needing_operator() == []
    assert len(report.tenants["acme"].done[Deed.MARKED]) == 6
    assert "last-retention.json in the vault says that test/retention/ahead ran at 2027-06-30" in caplog.text
    assert stock.run(last_retention(documents)) == LastRun(at=NOW, owner="test/retention/run-1")


def test_a_vault_that_cannot_be_read_ends_the_run_before_anything_is_done(stock: Stock) -> None:
    place = stock.vault.documents
    stock.s3.put_object(Bucket=place.bucket, Key=f"{place.prefix}last-retention.json", Body=b'{"at": 3}')
    old = stock.add(OLD)
    with pytest.raises(PerennialError, match="does not know how many points may go"):
        stock.run(Retention(stock.vault, stock.read_register(), "test/retention/one", NOW).run_for_fleet())
    assert stock.state(old) == "verified"
