"""Who is due, and whose day is still open."""

from __future__ import annotations

from datetime import date

import pytest

from include.rules.backup.due import daily_partitions, daily_point_id, without_verified_point
from include.rules.backup.quotas import check_manual_quota, month_prefix
from include.rules.errors import RefusedError
from include.rules.register.register import Register
from tests.unit.builders import request as request
from tests.unit.builders import running, tenant, verified

DAY = date(2026, 11, 23)
REGISTER = Register({"acme": tenant("acme"), "globex": tenant("globex"), "old": tenant("old", suspended=True)})


def test_every_tenant_but_the_suspended_is_due_daily() -> None:
    assert daily_partitions(REGISTER, DAY) == ("acme|daily|2026-11-23", "globex|daily|2026-11-23")


def test_those_that_share_a_server_and_volumes_stand_together() -> None:
    place = tenant("c").database.model_dump()
    entries = {"a": ("sql2", "vol-00000002"), "b": ("sql1", "vol-00000002"), "c": ("sql2", "vol-00000001")}
    entries |= {"d": ("sql1", "vol-00000001"), "e": ("sql1", "vol-00000002")}
    tenants = {
        name: tenant(name, database={**place, "name": name, "connection": connection, "volume": volume})
        for name, (connection, volume) in entries.items()
    }
    assert [key[0] for key in daily_partitions(Register(tenants), DAY)] == ["d", "b", "e", "c", "a"]


def test_a_day_is_open_for_whoever_has_no_verified_point() -> None:
    failed = running("globex|daily|2026-11-23").with_failure("no disk").closed(running().opened_at)
    manifests = {daily_point_id("acme", DAY): None, daily_point_id("globex", DAY): failed}
    assert without_verified_point(REGISTER, DAY, manifests) == {
        "acme": "no readable recovery point",
        "globex": "failed: no disk",
    }
    manifests = {manifest.id: manifest for manifest in (verified(), verified("globex|daily|2026-11-23"))}
    assert without_verified_point(REGISTER, DAY, manifests) == {}


def test_a_plan_limits_manual_backups_by_calendar_month() -> None:
    manual_request = request("acme|manual|2026-11-23T10:00:00Z")
    points = [verified("acme|manual|2026-11-01T00:00:00Z"), verified("acme|manual|2026-11-02T00:00:00Z")]
    assert month_prefix(manual_request) == "acme-manual-202611"
    check_manual_quota(manual_request, tenant(), points[:1])
    with pytest.raises(RefusedError, match="Tenant acme has used its 2 manual backups of 2026-11"):
        check_manual_quota(manual_request, tenant(), points)


def test_failed_backups_and_the_same_request_again_use_no_quota() -> None:
    manual_request = request("acme|manual|2026-11-23T10:00:00Z")
    failed = running("acme|manual|2026-11-01T00:00:00Z").closed(running().opened_at)
    check_manual_quota(manual_request, tenant(), [failed, failed, verified("acme|manual|2026-11-23T10:00:00Z")])


def test_other_kinds_have_no_quota() -> None:
    points = [verified(f"acme|manual|2026-11-0{day}T00:00:00Z") for day in (1, 2, 3)]
    check_manual_quota(request(), tenant(), points)
