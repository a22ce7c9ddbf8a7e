"""Who is due, and whose day is still open."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from include.rules.backup.due import daily_partitions, daily_point_id, still_due, why_unfinished
from include.rules.backup.quotas import check_manual_quota, month_prefix
from include.rules.errors import RefusedError
from include.rules.points.partition_keys import join_keys, split_key
from include.rules.register.register import Problem, Register
from include.rules.register.tenants import Tenant
from tests.unit.builders import request as request
from tests.unit.builders import running, tenant, verified

DAY = date(2026, 11, 23)
REGISTER = Register({"acme": tenant("acme"), "globex": tenant("globex"), "old": tenant("old", suspended=True)})


def test_every_tenant_but_the_suspended_is_due_daily() -> None:
    assert daily_partitions(REGISTER, DAY) == ("acme|daily|2026-11-23", "globex|daily|2026-11-23")


def test_servers_take_turns_and_each_goes_from_volume_to_volume() -> None:
    place = tenant("c").database.model_dump()
    entries = {"a": ("sql2", "vol-00000002"), "b": ("sql1", "vol-00000002"), "c": ("sql2", "vol-00000001")}
    entries |= {"d": ("sql1", "vol-00000001"), "e": ("sql1", "vol-00000002")}
    tenants = {
        name: tenant(name, database={**place, "name": name, "connection": connection, "volume": volume})
        for name, (connection, volume) in entries.items()
    }
    assert [key[0] for key in daily_partitions(Register(tenants), DAY)] == ["d", "c", "b", "a", "e"]


@pytest.mark.parametrize("length", [5, 25, 40])
def test_all_servers_have_work_from_the_first_however_long_names_are(length: int) -> None:
    """96 run at a time, and two on a server: of sixty servers none waits while another one has a queue."""
    servers, tenants = 60, dict[str, Tenant]()
    for number in range(20 * servers):
        place = {"connection": f"sql{number // 20}", "volume": f"vol-{number // 20:08}"}
        name = f"t{number:04}".ljust(length, "x")
        tenants[name] = tenant(name, database={**tenant("acme").database.model_dump(), "name": name, **place})
    runs = [key for one in join_keys(daily_partitions(Register(tenants), DAY)) for key in split_key(one)]
    at_work = [tenants[key.partition("|")[0]].database.connection for key in runs[:96]]
    assert len(set(at_work)) == servers
    assert max(Counter(at_work).values()) == 2


def test_a_day_is_open_for_whoever_has_no_verified_point() -> None:
    failed = running("globex|daily|2026-11-23").with_failure("no disk").closed(running().opened_at)
    assert why_unfinished(None) == "no readable recovery point"
    assert why_unfinished(failed) == "failed: no disk"
    assert why_unfinished(running()) == "running"
    assert why_unfinished(verified()) == ""


def test_the_id_of_a_days_point_is_the_one_that_its_request_leads_to() -> None:
    (request_of_acme, _) = daily_partitions(REGISTER, DAY)
    assert daily_point_id("acme", DAY) == request(request_of_acme).recovery_point_id == "acme-daily-20261123"


def test_whoever_is_suspended_or_taken_out_is_due_no_longer_and_a_wrong_entry_is_neither() -> None:
    wrong = Problem("tenants.yaml", "tenant wrong", "no such plan")
    register = Register(REGISTER.tenants, (wrong,))
    assert still_due(register, ["gone", "wrong", "old", "globex"]) == ("wrong", "globex")


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
