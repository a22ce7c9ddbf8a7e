"""The day of the whole fleet: who still lacks a point, where some manifests, or all of them, cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from include.rules.backup.due import daily_point_id
from include.rules.errors import ConfigurationError, PartError, UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.points.requests import parse_moment
from include.rules.points.transitions import State
from perennial.backup import daily
from perennial.backup.daily import ConfirmDailyBackupsTrigger
from perennial.backup.dispatch import partitions_missing
from tests.support.retention import OLD, Stock
from tests.support.steps import TODAY
from tests.support.triggers import trigger_of
from tests.support.waits import shorten
from tests.support.world import World
from tests.unit.builders import tenant_entry

pytestmark = pytest.mark.lab

DAY = TODAY.rpartition("|")[2]
DENIED = {"code": "AccessDenied", "status": 403, "times": None}


def test_a_manifest_that_cannot_be_read_counts_as_missing_and_keeps_nobody_else_from_being_queued(world: World) -> None:
    world.add_tenant("globex")
    world.add_tenant("initech")
    world.back_up(TODAY)
    world.storage.faults.add("s3:GetObject", match="/globex-daily", **DENIED)
    assert set(partitions_missing(parse_moment(DAY))) == {f"globex|daily|{DAY}", f"initech|daily|{DAY}"}
    confirm = trigger_of(ConfirmDailyBackupsTrigger, moment=DAY, wait_minutes="0")
    with pytest.raises(PartError, match=r"2 tenants have no verified .* globex \(no readable recovery point\)"):
        world.runner.run(confirm.work_within_deadline())


def test_a_vault_that_answers_for_nobody_is_no_tenants_trouble(world: World) -> None:
    world.back_up(TODAY)
    world.storage.faults.add("s3:GetObject", match="-daily-", **DENIED)
    with pytest.raises(UnavailableError, match="The vault could not be read"):
        partitions_missing(parse_moment(DAY))


@pytest.fixture
def fleet(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> Stock:
    """Three tenants, of which acme has its point of the day; the vault is asked once, and looks follow at once."""
    shorten(monkeypatch, "AWS_ANSWER", 0)
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "0.01")
    stock.register("acme", "globex", "initech")
    stock.add(OLD)
    return stock


@contextmanager
def noting_reads(stock: Stock, after: Callable[[int], Awaitable[None]]) -> Iterator[list[list[str]]]:
    """The tenants whose points were asked for at each look of `confirm`; `after` is awaited at the end of each."""
    looks, get, find = list[list[str]](), type(stock.vault.points).get, daily.find_unfinished

    async def noted(collection: Any, tenant: str, document_id: str) -> Any:
        if looks and document_id == daily_point_id(tenant, OLD.date()):
            looks[-1].append(tenant)
        return await get(collection, tenant, document_id)

    async def looking(*arguments: Any) -> Any:
        looks.append([])
        try:
            return await find(*arguments)
        finally:
            asked = looks[-1][:]
            await after(len(looks))
            looks[-1] = asked

    with patch.object(type(stock.vault.points), "get", noted), patch.object(daily, "find_unfinished", looking):
        yield looks


def verify(stock: Stock, *points: Manifest) -> Awaitable[Any]:
    """Somebody's `verify` comes to its end meanwhile."""

    def verified(manifest: Manifest) -> Manifest:
        return manifest.model_copy(update={"state": State.VERIFIED})

    return asyncio.gather(*(stock.vault.change_point(point.tenant, point.id, verified) for point in points))


def confirming(wait_minutes: str = "1") -> ConfirmDailyBackupsTrigger:
    trigger = trigger_of(ConfirmDailyBackupsTrigger, moment=OLD.isoformat(), wait_minutes=wait_minutes)
    assert isinstance(trigger, ConfirmDailyBackupsTrigger)
    return trigger


def test_each_look_asks_only_for_those_without_a_verified_point_that_are_still_due(fleet: Stock) -> None:
    points = {tenant: fleet.add(OLD, tenant=tenant, state=State.PENDING) for tenant in ("globex", "initech")}

    async def go_on(look: int) -> None:
        if look == 1:
            entries = yaml.safe_load((fleet.config / "tenants.yaml").read_text())["tenants"]
            entries[1]["suspended"] = True
            added = tenant_entry("umbrella", 4)
            (fleet.config / "tenants.yaml").write_text(yaml.safe_dump({"tenants": [*entries, added]}))
        elif look == 2:
            await verify(fleet, points["initech"])

    with noting_reads(fleet, go_on) as looks:
        result = fleet.run(confirming().work_within_deadline())
    assert [sorted(look) for look in looks] == [["acme", "globex", "initech"], ["initech"], ["initech"]]
    assert result == {"day": f"{OLD:%Y-%m-%d}", "tenants": 2, "missing": 0}


def test_a_register_of_which_no_entry_can_be_used_is_no_day_without_work(fleet: Stock) -> None:
    (fleet.config / "plans.yaml").write_text("plans: {}")
    with pytest.raises(ConfigurationError, match="3 entries of the register cannot be used"):
        fleet.run(confirming().work_within_deadline())


def test_a_wait_outlasts_a_vault_and_a_register_that_do_not_answer_for_a_while(fleet: Stock) -> None:
    points = [fleet.add(OLD, tenant=tenant, state=State.PENDING) for tenant in ("globex", "initech")]
    register = (fleet.config / "tenants.yaml").read_text()

    async def go_on(look: int) -> None:
        if look == 1:
            fleet.storage.faults.add("s3:GetObject", match="-daily-", code="InternalError", status=500, times=None)
            (fleet.config / "tenants.yaml").write_text("tenants: [")
        elif look == 2:
            fleet.storage.faults.clear()
            (fleet.config / "tenants.yaml").write_text(register)
            await verify(fleet, *points)

    with noting_reads(fleet, go_on) as looks:
        result = fleet.run(confirming().work_within_deadline())
    assert len(looks) == 3
    assert result["tenants"] == 3


def test_one_manifest_that_is_left_and_cannot_be_read_is_its_tenants_trouble_at_the_end_of_the_wait(
    fleet: Stock,
) -> None:
    fleet.add(OLD, tenant="initech")
    fleet.add(OLD, tenant="globex")
    fleet.storage.faults.add("s3:GetObject", match="/globex-daily", **DENIED)
    unanswered = "What is said of them is from before: The vault could not be read: AWS answered AccessDenied"
    with pytest.raises(PartError, match=f"1 tenants have .*: globex .no readable recovery point.*{unanswered}"):
        fleet.run(confirming("0.005").work_within_deadline())
