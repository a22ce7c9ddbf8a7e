"""By which policy retention last acted on a tenant: what is recorded, when, and what it does when the record is odd."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from include.rules.errors import PerennialError
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.records import RULES_VERSION, AppliedPolicy
from include.rules.retention.reports import Deed
from perennial.retention import tenant as acting
from perennial.retention.applied import record_applied
from perennial.retention.fleet import Retention
from perennial.retention.last_run import last_retention
from tests.support.retention import DAY, NOW, Stock
from tests.support.retention_runs import carry_out, preview

pytestmark = pytest.mark.lab

TEN: dict[str, Any] = {"daily": 10, "weekly": 0, "monthly": 0, "yearly": 0}
FIVE = {**TEN, "daily": 5}


@pytest.fixture
def ten(stock: Stock) -> Stock:
    """A tenant with a point without snapshots on each of ten days, on which retention has acted by a policy of ten."""
    stock.register("acme", **TEN)
    stock.add_daily(NOW, 10, roles=())
    stock.retain(NOW - DAY / 24)
    return stock


def record(stock: Stock, tenant: str = "acme") -> AppliedPolicy | None:
    version = stock.run(stock.vault.applied_policies.get(tenant, tenant))
    return version.value if version else None


def applied(stock: Stock) -> RetentionPolicy | None:
    """The policy that is recorded."""
    current = record(stock)
    return current.policy if current else None


def write_record(stock: Stock, content: object, tenant: str = "acme") -> None:
    """Put something in the place of a tenant's record."""
    place, body = stock.vault.documents, content if isinstance(content, bytes) else json.dumps(content).encode()
    stock.s3.put_object(Bucket=place.bucket, Key=f"{place.prefix}retention-policies/{tenant}.json", Body=body)


def marked(stock: Stock, **options: Any) -> list[str]:
    return stock.retain(**options).tenants["acme"].done.get(Deed.MARKED, [])


def test_the_first_run_records_the_policy_although_nothing_goes(ten: Stock) -> None:
    current = record(ten)
    assert current
    assert (current.policy, current.rules, current.owner) == (
        RetentionPolicy(**TEN), RULES_VERSION, "test/retention/run-1"
    )  # fmt: skip
    ten.retain(NOW)
    assert record(ten) == current, "and a day on which nothing goes does not write it again"


def test_a_narrowed_policy_is_asked_about_every_day_until_it_is_approved(ten: Stock) -> None:
    ten.register("acme", **FIVE)
    for later in (0 * DAY, DAY / 4):
        (message,) = ten.retain(NOW + later).needing_operator()
        assert "MAX_DELETE" in message
        assert "(limit 3; since 2026-06-30 daily was 10 and is 5)" in message
        assert applied(ten) == RetentionPolicy(**TEN)
    assert preview(ten)["approval"] is True
    assert len(carry_out(ten)["marked"]) == 5
    assert applied(ten) == RetentionPolicy(**FIVE)
    ten.add(NOW + DAY)
    assert ten.retain(NOW + DAY + DAY / 12).needing_operator() == []


def test_neither_a_dry_run_nor_a_question_records_anything(ten: Stock) -> None:
    ten.register("acme", **FIVE)
    before = ten.keys(""), ten.everything(), record(ten)
    ten.retain(dry_run=True)
    for only_report in ("True", "False"):
        assert "MAX_DELETE" in preview(ten, only_report=only_report)["preview"]
    assert carry_out(ten, only_report="True")["dry_run"] is True
    assert (ten.everything(), record(ten)) == before[1:]
    assert set(ten.keys("")) - set(before[0]) == {"retention/acme.json"}, "what the last preview has shown"


def test_a_policy_that_nobody_had_to_stop_is_not_accepted_while_the_tenant_is_stale(stock: Stock) -> None:
    """Suspended, and with so few points that nothing would go: nobody has seen yet what the new policy takes."""
    stock.register("acme", **TEN)
    stock.add_daily(NOW - 4 * DAY, 3)
    assert stock.retain().not_done() == []
    assert record(stock) is None
    stock.add(NOW - DAY)
    stock.retain()
    assert applied(stock) == RetentionPolicy(**TEN)


def test_a_tenant_that_the_fleets_guard_stops_keeps_its_record(stock: Stock) -> None:
    tenants = [f"tenant-{number}" for number in range(3)]
    stock.register(*tenants, **TEN)
    for tenant in tenants:
        stock.add_daily(NOW, 10, tenant=tenant, roles=())
    stock.retain(NOW - DAY / 24)
    stock.register(*tenants, **{**TEN, "daily": 8})
    before = [record(stock, tenant) for tenant in tenants]
    for days in (0, 0.1):
        (message,) = stock.retain(NOW + days * DAY).needing_operator()
        assert "the plans would expire 6 of 30 recovery points of the fleet" in message
        assert [record(stock, tenant) for tenant in tenants] == before


def test_a_run_that_was_stopped_is_a_completed_one_and_disarms_nothing(stock: Stock) -> None:
    """Before there is a record, the days since the last completed run count: a tenant that is stopped gains none."""
    stock.register("acme", **TEN)
    stock.add_daily(NOW, 14, roles=())
    for days in range(3):
        (message,) = stock.retain(NOW + days * DAY / 8, run_id=f"run-{days}").needing_operator()
        assert "would expire 4 of 14 recovery points (limit 3)" in message
        last = stock.run(last_retention(stock.vault.documents))
        assert last
        assert last.at == NOW + days * DAY / 8
        assert record(stock) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is no JSON"),
        ({"version": 2}, "is not a AppliedPolicy that this version understands"),
        ({"tenant": "globex"}, "It says that it is tenant globex's."),
        ({"tenant": "acme"}, "is not a AppliedPolicy that this version understands"),
        ({"of_tomorrow": True}, "is not a AppliedPolicy that this version understands"),
    ],
    ids=["no JSON", "a newer version", "another tenant's", "cut off", "a field of a newer release"],
)
def test_a_record_that_cannot_be_read_stops_its_tenant_and_no_other(
    ten: Stock, content: bytes | dict[str, Any], reason: str
) -> None:
    ten.register("acme", "globex", **FIVE)
    ten.add_daily(NOW, 6, tenant="globex")
    if isinstance(content, dict) and content != {"tenant": "acme"}:
        current = record(ten)
        assert current
        content = {**current.model_dump(mode="json"), **content}
    write_record(ten, content)
    before = ten.everything()
    report = ten.retain()
    (message,) = report.needing_operator()
    assert message.startswith(
        "Retention stopped for tenant acme: the record of the policy by which it was last acted on"
    )
    assert reason in message
    assert "nothing of the tenant was expired or deleted" in message
    assert "If a newer release has written it, run that one. Else correct retention-policies/acme.json" in message
    assert report.tenants["globex"].done == {Deed.MARKED: ["globex-daily-20260625"]}
    assert preview(ten)["approval"] is False
    with pytest.raises(PerennialError, match="the record of the policy"):
        carry_out(ten)
    assert ten.everything()[0] == before[0]
    assert {point.state for point in ten.run(ten.vault.manifests("acme"))} == {"verified"}


def test_a_record_of_other_rules_counts_all_that_goes(ten: Stock) -> None:
    current = record(ten)
    assert current
    write_record(ten, {**current.model_dump(mode="json"), "rules": RULES_VERSION + 1})
    ten.add_daily(NOW - 10 * DAY, 4)
    (message,) = ten.retain().needing_operator()
    assert f"the rules were of version {RULES_VERSION + 1} on 2026-06-30 and are of {RULES_VERSION}" in message


def test_a_run_that_dies_between_the_act_and_its_record_leaves_the_old_one(
    ten: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten.register("acme", **FIVE)
    preview(ten)

    async def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(acting, "record_applied", die)
        with pytest.raises(KeyboardInterrupt):
            carry_out(ten)
    assert applied(ten) == RetentionPolicy(**TEN)
    assert sorted(str(point.state) for point in ten.run(ten.vault.manifests("acme"))).count("expiring") == 5
    lease = ten.run(ten.vault.lease("acme")).value
    ten.run(ten.vault.change_lease("acme", lambda _: lease.model_copy(update={"owner": None})))
    ten.add(NOW + DAY)
    assert ten.retain(NOW + DAY + DAY / 12).needing_operator() == [], "what is marked was approved"
    assert applied(ten) == RetentionPolicy(**FIVE)


def test_two_runs_at_once_mark_once_and_record_once(ten: Stock) -> None:
    ten.register("acme", **{**TEN, "daily": 8})
    register = ten.read_register()

    async def both() -> list[Any]:
        runs = [Retention(ten.vault, register, f"test/retention/{name}", NOW) for name in ("one", "two")]
        return await asyncio.gather(*(run.run_for_fleet() for run in runs))

    reports = ten.run(both())
    done = [report.tenants["acme"].done.get(Deed.MARKED, []) for report in reports]
    assert sorted(len(points) for points in done) == [0, 2]
    assert applied(ten) == RetentionPolicy(**{**TEN, "daily": 8})
    current = record(ten)
    assert current
    assert current.owner == f"test/retention/{'one' if done[0] else 'two'}"
    assert [trouble for report in reports for trouble in report.needing_operator()] == []


def test_of_two_records_at_once_the_first_stands(
    ten: Stock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that was fenced off, and goes on all the same, does not overwrite what its successor has recorded."""
    ten.register("acme", **{**TEN, "daily": 8})
    theirs = record(ten)
    assert theirs

    async def late(lease: Any, before: Any, mine: AppliedPolicy) -> None:
        await ten.vault.applied_policies.put(theirs.model_copy(update={"owner": "test/retention/other"}))
        await record_applied(lease, before, mine)

    monkeypatch.setattr(acting, "record_applied", late)
    assert len(marked(ten)) == 2
    current = record(ten)
    assert current
    assert current.owner == "test/retention/other"
    assert "Another run has recorded the policy of tenant acme meanwhile" in caplog.text


def test_a_day_that_has_only_points_of_other_kinds_keeps_one_until_its_window_ends(stock: Stock) -> None:
    stock.register("acme", **FIVE, manual=1, hourly_hours=1)
    daily = stock.add_daily(NOW, 2)
    stand_in = stock.add(NOW - 2 * DAY - DAY / 12, kind="hourly")
    manual = stock.add(NOW - 3 * DAY, kind="manual")
    other = stock.add(NOW - DAY - DAY / 12, kind="manual")
    older = stock.add(NOW - 2 * DAY - DAY / 6, kind="hourly")
    assert marked(stock) == [older.id]
    assert [stock.state(it) for it in (*daily, stand_in, manual, other)] == ["verified"] * 5


def test_manual_points_that_were_never_verified_push_out_none_that_can_be_restored(stock: Stock) -> None:
    stock.register("acme", **FIVE, manual=2)
    stock.add_daily(NOW, 5)
    good = [stock.add(NOW - days * DAY, kind="manual") for days in (20, 30)]
    stuck = [stock.add(NOW - days * DAY, kind="manual", state=State.PENDING) for days in (3, 4, 5)]
    assert sorted(marked(stock)) == sorted(it.id for it in stuck)
    assert [stock.state(it) for it in good] == ["verified"] * 2
