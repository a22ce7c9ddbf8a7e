"""What cannot be read: it is reported, keeps what it may be about, and ends nobody else's work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rules.errors import UnavailableError
from include.rules.points.manifest import Expiry
from include.rules.points.shared_snapshots import ShareState
from include.rules.points.transitions import State
from include.rules.retention.offboarding import Offboarding
from perennial.retention.last_run import last_retention
from perennial.retention.lost_parts import find_absent_parts
from perennial.retention.steps import CarryOutRetentionTrigger
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import carry_out, failure_at_now, preview
from tests.support.shared import add_shared, add_sharing, assert_gone, is_there
from tests.support.triggers import trigger_of
from tests.support.waits import shorten

pytestmark = pytest.mark.lab

MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)
UNREADABLE = [{"code": "AccessDenied", "status": 403}, {"code": "InternalError", "status": 500}]


@pytest.fixture
def fleet(fleet: Stock, monkeypatch: pytest.MonkeyPatch) -> Stock:
    """Two tenants on a policy of three days, each with its points; AWS is asked once."""
    shorten(monkeypatch, "AWS_ANSWER", 0)
    fleet.register("acme", "globex", daily=3, weekly=0, monthly=0, yearly=0)
    for tenant in fleet.tenants:
        fleet.add_daily(NOW, 3, tenant=tenant)
    return fleet


def refuse(stock: Stock, action: str, match: str = "", **fault: Any) -> None:
    stock.storage.faults.add(action, match=match, times=None, **fault)


@pytest.mark.parametrize("fault", UNREADABLE, ids=["refused", "broken"])
def test_a_shared_document_that_the_store_does_not_give_keeps_its_own_and_stops_nobody_else(
    fleet: Stock, fault: dict[str, Any]
) -> None:
    (acme, _), (web, database) = add_sharing(fleet, OLD)
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    old, unused = fleet.add(OLD - DAY, tenant="globex"), add_shared(fleet, OLD, state=ShareState.DELETING)
    refuse(fleet, "s3:GetObject", fleet.vault.shared_snapshots.key(web.volume, web.id), **fault)
    report = fleet.retain()
    fleet.storage.faults.clear()
    (line,) = [trouble.message for trouble in report.shared.troubles]
    assert line.startswith(f"Shared snapshot {web.name} stays, and whoever uses it: The vault could not be read")
    assert fleet.state(acme) == "expiring"
    assert is_there(fleet, web)
    assert is_there(fleet, database)
    assert fleet.state(old) == "expiring", "another point is dealt with as ever"
    assert_gone(fleet, unused)


def test_a_part_whose_list_cannot_be_read_is_not_taken_for_lost(fleet: Stock) -> None:
    (acme, _), (web, _) = add_sharing(fleet, OLD)
    old = fleet.add(OLD - DAY)
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED.model_copy(update={"deletion_began_at": NOW - DAY}))
    key, place = fleet.vault.shared_snapshots.key(web.volume, web.id), fleet.vault.documents
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"{")
    manifest = fleet.manifest(acme)
    assert manifest
    assert fleet.run(find_absent_parts(fleet.vault, [manifest])) == {}
    fleet.retain()
    assert fleet.state(acme) == "expiring"
    assert fleet.state(old) == "expiring", "another point of the tenant is dealt with as ever"


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:ListObjectsV2"])
def test_a_vault_that_does_not_answer_fails_the_run(fleet: Stock, action: str) -> None:
    before = fleet.everything()
    refuse(fleet, action, code="InternalError", status=500)
    with pytest.raises(UnavailableError, match="InternalError"):
        fleet.retain()
    fleet.storage.faults.clear()
    assert fleet.everything() == before


def test_a_run_that_has_seen_no_tenant_fails_and_is_not_recorded(fleet: Stock) -> None:
    refuse(fleet, "s3:ListObjectsV2", "recovery-points/acme/", code="InternalError", status=500)
    assert fleet.retain().needing_operator() == [], "another tenant is dealt with, and this one by the next run"
    recorded = fleet.run(last_retention(fleet.vault.documents))
    refuse(fleet, "s3:ListObjectsV2", "recovery-points/globex/", code="InternalError", status=500)
    with pytest.raises(UnavailableError, match=r"could not look at any of the 2 tenants.*InternalError"):
        fleet.retain(NOW + timedelta(hours=1))
    assert fleet.run(last_retention(fleet.vault.documents)) == recorded


@pytest.mark.parametrize("fault", UNREADABLE, ids=["refused", "broken"])
def test_a_dry_run_that_has_seen_no_tenant_fails_also_that_of_one(fleet: Stock, fault: dict[str, Any]) -> None:
    """A run that may act fails for what it has to ask of a person; one that only shows does not."""
    refuse(fleet, "s3:ListObjectsV2", "recovery-points/acme/", **fault)
    with pytest.raises(UnavailableError, match=f"could not look at tenant acme.*{fault['code']}"):
        preview(fleet, only_report="True")
    with pytest.raises(UnavailableError, match=f"could not look at tenant acme.*{fault['code']}"):
        carry_out(fleet, only_report="True")
    assert carry_out(fleet, tenant="", only_report="True")["not_done"], "the other tenant was looked at"
    refuse(fleet, "s3:ListObjectsV2", "recovery-points/globex/", **fault)
    with pytest.raises(UnavailableError, match=f"could not look at any of the 2 tenants.*{fault['code']}"):
        carry_out(fleet, tenant="", only_report="True")


def test_a_run_that_cannot_be_recorded_says_what_it_has_done_also_with_shared_snapshots(fleet: Stock) -> None:
    old, unused = fleet.add(OLD), add_shared(fleet, OLD, state=ShareState.DELETING)
    trigger = trigger_of(CarryOutRetentionTrigger, "one", "retention", tenant="", only_report="False")
    refuse(fleet, "s3:PutObject", "last-retention.json", code="InternalError", status=500)
    failure = failure_at_now(fleet, trigger)
    assert "The vault could not be written: AWS answered InternalError" in failure
    assert "Until then: 6 kept, 1 marked. 1 shared snapshots deleted." in failure
    assert fleet.state(old) == "expiring"
    assert_gone(fleet, unused)


def test_an_offboarding_record_that_cannot_be_read_is_a_line_of_the_report(fleet: Stock) -> None:
    old = fleet.add(OLD)
    fleet.register("acme", "globex", "initech")
    add_sharing(fleet, NOW - timedelta(hours=3), tenants=("initech",))
    fleet.register("acme", "globex")
    key, place = fleet.vault.offboarded.key("initech", "initech"), fleet.vault.documents
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"{")
    report = fleet.retain()
    (line,) = [trouble.message for trouble in report.shared.troubles]
    assert f"The document {key} in the vault is no JSON" in line
    assert fleet.state(old) == "expiring"


def test_a_record_that_another_tenant_has_left_counts_for_nobody(fleet: Stock) -> None:
    old = fleet.add(OLD)
    policy = fleet.read_register().tenants["acme"].plan.retention
    gone = Offboarding(tenant="globex", left_at=NOW - DAY, final_until=NOW.date(), author="ada", retention=policy)
    key, place = fleet.vault.offboarded.key("acme", "acme"), fleet.vault.documents
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=gone.model_dump_json().encode())
    (message,) = fleet.retain().needing_operator()
    assert f"{key} in the vault says that it is globex of globex" in message
    assert fleet.state(old) == "verified"
