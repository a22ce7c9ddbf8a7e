"""A run of retention for one tenant: when it asks a person, and what an approval is good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.errors import PerennialError
from include.rules.points.approvals import NOBODY, seal_in
from include.rules.points.holds import Hold
from include.rules.points.leases import Lease
from include.rules.points.manifest import Manifest
from include.rules.retention.expiry import held
from include.rules.retention.reports import Deed
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import carry_out, preview

pytestmark = pytest.mark.lab


def test_a_run_for_one_tenant_asks_where_the_whole_fleet_was_stopped(stock: Stock) -> None:
    tenants = [f"tenant-{number}" for number in range(3)]
    stock.register(*tenants, daily=3, weekly=0, monthly=0, yearly=0)
    for tenant in tenants:
        stock.add_daily(NOW, 3, tenant=tenant, roles=())
        stock.add_daily(NOW - 60 * DAY, 2, tenant=tenant, roles=())
    (message,) = stock.retain().needing_operator()
    assert "it shows the plan, asks for approval and goes on" in message
    shown = preview(stock, tenant="tenant-0")
    assert (shown["approval"], shown["skipped"]) == (True, [])
    assert len(carry_out(stock, tenant="tenant-0")["marked"]) == 2


def test_a_run_for_one_tenant_shows_the_plan_and_carries_out_what_was_approved(too_many: Stock) -> None:
    shown = preview(too_many)
    assert (shown["approval"], shown["skipped"]) == (True, [])
    assert shown["preview"].count(": expires, to be deleted from") == 10
    assert "MAX_DELETE" in shown["preview"]
    assert len(carry_out(too_many)["marked"]) == 10


def test_where_nothing_would_expire_nobody_is_asked(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 3)
    marked = stock.add_expiring(OLD, NOW - 2 * DAY)
    shown = preview(stock)
    assert (shown["approval"], shown["skipped"]) == (False, ["approval"])
    assert carry_out(stock)["deleted"] == [marked.id]


def test_a_run_for_one_tenant_asks_whenever_a_point_would_expire(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 3)
    old = stock.add(OLD)
    shown = preview(stock)
    assert (shown["approval"], shown["skipped"]) == (True, [])
    assert stock.state(old) == "verified"
    assert carry_out(stock)["marked"] == [old.id]


def test_a_guard_that_nobody_may_approve_is_not_shown_for_approval(stock: Stock) -> None:
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW - 5 * DAY, 6)
    before = stock.everything()
    assert preview(stock)["skipped"] == ["approval"]
    with pytest.raises(PerennialError, match="STALE"):
        carry_out(stock)
    assert stock.everything() == before


def test_a_new_backup_does_not_void_an_approval(too_many: Stock) -> None:
    preview(too_many)
    new = too_many.add(NOW + timedelta(minutes=1), kind="manual")
    assert len(carry_out(too_many)["marked"]) == 10
    assert too_many.state(new) == "verified"


def test_a_plan_that_has_changed_since_it_was_approved_is_not_carried_out(too_many: Stock) -> None:
    preview(too_many)
    later = too_many.add(NOW - 80 * DAY)
    before = too_many.everything()
    with pytest.raises(PerennialError, match=r"PLAN_CHANGED.*what would go is no longer what was approved"):
        carry_out(too_many)
    assert too_many.everything() == before
    assert too_many.state(later) == "verified"


def test_a_plan_that_was_shown_anew_is_not_carried_out_by_the_approval_of_the_old_one(too_many: Stock) -> None:
    approved = seal_in(preview(too_many)["preview"])
    later = too_many.add(NOW - 80 * DAY)
    shown_anew = seal_in(preview(too_many)["preview"])
    before = too_many.everything()
    with pytest.raises(PerennialError, match=rf"is not the one that was approved: now also: expire {later.id}\. "):
        carry_out(too_many, approved=approved)
    assert too_many.everything() == before
    assert len(carry_out(too_many, approved=shown_anew)["marked"]) == 11


def test_a_plan_that_spares_a_point_of_the_approved_one_names_it(too_many: Stock) -> None:
    approved = seal_in(preview(too_many)["preview"])
    (spared, *_) = sorted(point.id for point in too_many.run(too_many.vault.manifests("acme")))
    too_many.run(too_many.vault.change_point("acme", spared, held_for_a_case))
    preview(too_many)
    with pytest.raises(PerennialError, match=rf"no longer: expire {spared}"):
        carry_out(too_many, approved=approved)


def held_for_a_case(manifest: Manifest) -> Manifest:
    return held(manifest, Hold(reason="case 4711", author="ada", placed_at=NOW))


def test_a_plan_that_asks_is_not_carried_out_where_the_approval_was_skipped(too_many: Stock) -> None:
    preview(too_many)
    before = too_many.everything()
    with pytest.raises(PerennialError, match="has to be approved, and nobody was asked"):
        carry_out(too_many, approved=NOBODY)
    assert too_many.everything() == before


def test_a_plan_shown_anew_after_one_was_carried_out_needs_a_run_of_its_own(too_many: Stock) -> None:
    carry_out(too_many, approved=seal_in(preview(too_many)["preview"]))
    too_many.add(NOW - 80 * DAY)
    again = seal_in(preview(too_many)["preview"])
    with pytest.raises(PerennialError, match=r"was carried out on .* already.*Start `retention`"):
        carry_out(too_many, approved=again)


def test_nobody_carries_out_a_plan_that_another_run_has_shown(too_many: Stock) -> None:
    preview(too_many, "one")
    preview(too_many, "two")
    with pytest.raises(PerennialError, match=r"no longer there.*Start `retention` with"):
        carry_out(too_many, "one")
    assert len(carry_out(too_many, "two")["marked"]) == 10


def test_an_approval_is_good_for_one_time(too_many: Stock) -> None:
    preview(too_many)
    carry_out(too_many)
    too_many.register("acme", daily=300, weekly=0, monthly=0, yearly=0)
    assert len(too_many.retain().tenants["acme"].done[Deed.TAKEN_BACK]) == 10
    too_many.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    before = too_many.everything()
    with pytest.raises(PerennialError, match=r"was carried out on .* already.*Start `retention` with `tenant: acme`"):
        carry_out(too_many)
    assert too_many.everything() == before
    assert {point.state for point in too_many.run(too_many.vault.manifests("acme"))} == {"verified"}


def test_an_approval_of_last_week_is_void(too_many: Stock) -> None:
    preview(too_many)
    plans = too_many.vault.shown_plans
    shown = too_many.run(plans.require("acme", "acme"))
    too_many.run(plans.replace(shown.value.model_copy(update={"now": NOW - 7 * DAY}), shown.etag))
    with pytest.raises(PerennialError, match="longer ago than an approval is good for"):
        carry_out(too_many)
    assert {point.state for point in too_many.run(too_many.vault.manifests("acme"))} == {"verified"}


def test_what_was_approved_can_be_tried_again_while_nothing_has_come_of_it(too_many: Stock) -> None:
    preview(too_many)
    far = datetime.now(UTC) + timedelta(hours=1)
    busy = Lease(tenant="acme", owner="test/restore/one", purpose="restore", token=7, expires_at=far)
    too_many.run(too_many.vault.change_lease("acme", lambda _: busy))
    with pytest.raises(PerennialError, match="restore"):
        carry_out(too_many)
    too_many.run(too_many.vault.change_lease("acme", lambda _: busy.model_copy(update={"owner": None})))
    assert len(carry_out(too_many)["marked"]) == 10


def test_a_tenant_that_neither_the_register_nor_the_vault_knows_is_refused(too_many: Stock) -> None:
    for only_report in ("False", "True"):
        with pytest.raises(PerennialError, match=r"There is no tenant 'acmee'.*Check the spelling.*acme"):
            preview(too_many, tenant="acmee", only_report=only_report)
    too_many.register("globex")
    assert "UNKNOWN_TENANT" in preview(too_many)["preview"], "the vault still knows it"
    assert preview(too_many, tenant="globex")["approval"] is False, "the register knows it, and it has no points yet"


def test_a_dry_run_for_one_tenant_asks_nobody_and_does_nothing(too_many: Stock) -> None:
    before = too_many.everything()
    shown = preview(too_many, only_report="True")
    assert (shown["skipped"], "MAX_DELETE" in shown["preview"]) == (["approval"], True)
    assert carry_out(too_many, only_report="True")["dry_run"] is True
    assert too_many.everything() == before
