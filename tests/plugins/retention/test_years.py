"""Two simulated years of retention on the lab's vault and EBS, with bad days: what is left is what the planner says.

The clock is an argument, so that a year takes seconds. Backups are seeded as what a backup leaves behind: a daily point
every fifth day, some hourly and manual ones, about 200 in all; the small ones have one snapshot instead of two.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from include.rules.points.holds import Hold
from include.rules.points.leases import Lease
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.expiry import held, lifted
from include.rules.retention.plan import plan_retention
from include.rules.retention.reports import FleetReport
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.register import read_register
from perennial.retention.fleet import Retention
from tests.support.retention import Stock

pytestmark = [pytest.mark.lab, pytest.mark.sweep, pytest.mark.timeout(600)]

POLICY: dict[str, Any] = {"daily": 14, "weekly": 4, "monthly": 6, "manual": 3, "hourly_hours": 30}
FIRST = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAYS = 730
BACKUP_EVERY, RETAIN_EVERY = 5, 15
"""In days. The guards count the days since the last run of retention, so that it need not run daily."""
QUIET_DAYS = 24
"""Good days at the end, in which all that was refused, left running or pending comes to its end."""
HOUR = timedelta(hours=1)


def expired(lease: Lease | None) -> Lease:
    assert lease
    return lease.model_copy(update={"expires_at": FIRST})


@dataclass
class Years:
    """Everything that was ever made, and what a bad day brings."""

    stock: Stock
    random: Random = field(default_factory=lambda: Random(20260630))  # noqa: S311 - not a secret
    points: dict[str, Manifest] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def back_up(self, day: datetime) -> None:
        """The backups of one day up to noon: a daily one, some hourly and manual ones; some fail, some are missing."""
        self._make(day - 10 * HOUR, "daily")
        if self.random.random() < 0.3:
            self._make(day - 3 * HOUR, "hourly")
        if self.random.random() < 0.1:
            self._make(day - 2 * HOUR, "manual")

    def make_good(self, time: datetime) -> None:
        """A daily backup on a good day."""
        point = self.stock.add(time)
        self.points[point.id] = point

    def _make(self, time: datetime, kind: str) -> None:
        luck = self.random.random()
        if luck < 0.03:
            self.seen["missing"] += 1
            return
        changes: dict[str, Any] = {} if kind == "daily" else {"roles": [SnapshotRole.WEB]}
        if luck < 0.08:
            changes |= {"state": State.FAILED, "verification": None, "failure": "a bad day"}
        elif luck < 0.12:
            changes |= {"state": State.PENDING}
        elif luck < 0.17:
            changes |= {"state": State.RUNNING, "closed_at": None, "verification": None}
        self.seen[str(changes.get("state", State.VERIFIED))] += 1
        point = self.stock.add(time, kind=kind, **changes)
        self.points[point.id] = point
        if luck > 0.94:
            self.seen["replaced parts"] += 1
            self.stock.add_snapshot(point, SnapshotRole.WEB, time)
            self.stock.add_file(point, "full-00.bak")

    def decide(self, now: datetime) -> None:
        """Now and then somebody places a hold or lifts one."""
        present = self.stock.run(self.stock.vault.manifests("acme"))
        on_hold = [point for point in present if point.hold]
        if self.random.random() < 0.15:
            free = [point for point in present if point.state is State.VERIFIED and not point.hold]
            hold = Hold(reason="case", author="ada", placed_at=now)
            self._change(self.random.choice(free), lambda m: held(m, hold), "hold")
        if on_hold and self.random.random() < 0.2:
            self._change(self.random.choice(on_hold), lambda m: lifted(m, "ada", now), "lifted")

    def _change(self, point: Manifest, change: Any, what: str) -> None:
        self.seen[what] += 1
        changed = self.stock.run(self.stock.vault.change_point("acme", point.id, change))
        self.points[point.id] = self.points[point.id].model_copy(update={"hold": changed.hold})

    def retain(self, now: datetime, *, bad_day: bool) -> None:
        """Retention's run; on a bad day AWS refuses deletions, or the triggerer dies and begins again."""
        self.stock.run(self._let_lease_expire())
        if bad_day and self.random.random() < 0.3:
            self.seen["refused"] += 1
            self.stock.cloud.add_fault("ec2:DeleteSnapshot", code="InvalidSnapshot.InUse", status=400)
            self.stock.storage.faults.add("s3:DeleteObject", code="AccessDenied", status=403)
        if bad_day and self.random.random() < 0.4:
            with suppress(TimeoutError):
                self.stock.run(asyncio.wait_for(self._fleet(now), self.random.uniform(0.01, 0.25)))
                self.seen["too late to kill"] += 1
            self.seen["killed"] += 1
        report: FleetReport = self.stock.run(self._fleet(now))
        message = " ".join(trouble.message for trouble in report.tenants["acme"].troubles)
        if (
            "MAX_DELETE" in message and "STALE" not in message
        ):  # a stale tenant waits for its next backup, not for a person
            self.seen["approved"] += 1
            self.stock.run(self._approve(now))

    async def _let_lease_expire(self) -> None:
        """Days have passed since the last run: so has the time of the lease that a dead one may have left."""
        if await self.stock.vault.lease("acme"):
            await self.stock.vault.change_lease("acme", expired)

    async def _fleet(self, now: datetime) -> FleetReport:
        return await (await self._retention(now)).run_for_fleet()

    async def _approve(self, now: datetime) -> None:
        retention = await self._retention(now)
        shown, _ = await retention.preview("acme")
        assert shown.asked
        await retention.run_for_tenant(shown)

    async def _retention(self, now: datetime) -> Retention:
        register = await read_register(self.stock.vault.settings)
        return Retention(self.stock.vault, register, f"test/retention/{now:%Y%m%d}", now)


def test_two_years_with_bad_days_end_with_what_the_planner_says_and_no_orphans(stock: Stock) -> None:
    stock.register("acme", **POLICY)
    years = Years(stock)
    for number in range(0, DAYS - QUIET_DAYS, BACKUP_EVERY):
        now = FIRST + timedelta(days=number)
        years.back_up(now)
        if number % RETAIN_EVERY == 0:
            years.decide(now)
            years.retain(now, bad_day=True)
    stock.cloud.clear_faults()
    stock.storage.faults.clear()
    for number in range(DAYS - QUIET_DAYS, DAYS, BACKUP_EVERY):
        last = FIRST + timedelta(days=number)
        years.make_good(last - 10 * HOUR)
        years.retain(last, bad_day=False)
    print(len(years.points), dict(years.seen))

    present = {point.id: point for point in stock.run(stock.vault.manifests("acme"))}
    expected = plan_retention(
        "acme", [TimelinePoint.of(point) for point in years.points.values()], RetentionPolicy(**POLICY), last
    )
    kept = {verdict.point.id for verdict in expected.kept}
    expiring = {name for name, point in present.items() if point.state is State.EXPIRING}
    assert set(present) - expiring == kept
    assert all(present[name].expiry.marked_at == last for name in expiring)
    tombstones = {key.split("/")[-1].removesuffix(".json") for key in stock.keys("expired/acme/")}
    assert tombstones == set(years.points) - set(present)
    assert_no_orphans(stock, present)
    assert min(years.seen[what] for what in ("killed", "refused", "failed", "running", "hold", "replaced parts")) >= 5


def assert_no_orphans(stock: Stock, present: dict[str, Manifest]) -> None:
    """EBS and the vault hold the parts of the points that there are, and nothing else."""
    parts = [point.parts for point in present.values()]
    assert set(stock.snapshots()) == {
        part.snapshot_id for of_point in parts for part in (of_point.web_snapshot, of_point.db_snapshot) if part
    }
    files = [key for of_point in parts if of_point.bak for key in of_point.bak.keys]
    manifests = [f"recovery-points/acme/{name}/manifest.json" for name in present]
    assert sorted(stock.keys()) == sorted(files + manifests)
