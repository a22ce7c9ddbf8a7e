"""The step `open`: who may begin a backup, and what is left where one may not."""

from __future__ import annotations

import asyncio

import pytest

from include.rules.errors import ConfigurationError, LeaseBusyError, RefusedError, UnavailableError
from include.rules.points.transitions import State
from perennial.backup.open_close import OpenRecoveryPointTrigger
from tests.support.steps import OPEN, TODAY
from tests.support.triggers import CutOff
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_a_vault_that_refuses_us_is_reported_and_nothing_is_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://no-such-bucket-anywhere")
    with pytest.raises(UnavailableError, match="The vault could not be"):
        world.run(OPEN, TODAY)


def test_a_run_marked_failed_while_it_opens_leaves_nothing_behind(world: World) -> None:
    async def mark_failed(suspension: int) -> bool:
        trigger = world.step(OPEN, TODAY)
        reached = await CutOff.run(trigger.work_within_deadline(), suspension)
        if reached:
            await trigger.on_kill()
        return reached

    suspension = 1
    while world.runner.run(mark_failed(suspension)):
        lease = world.runner.run(world.vault.lease("acme"))
        assert lease is None or lease.value.owner is None
        version = world.runner.run(world.vault.points.get("acme", "acme-daily-20261123"))
        assert version is None or version.value.state is State.FAILED
        suspension += 1
    assert suspension > 5


def test_a_busy_tenant_is_waited_for_and_then_refused_with_the_holders_name(world: World) -> None:
    world.run(OPEN, TODAY)
    with pytest.raises(LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease.*run-1"):
        world.run(OPEN, "acme|manual|2026-11-23T10:00:00Z", "run-2")


def test_a_manual_backup_beyond_the_plans_number_is_refused(world: World) -> None:
    world.entries["acme"]["plan"] = "standard"
    (world.config / "plans.yaml").write_text(
        (world.config / "plans.yaml").read_text().replace("manual_backups_per_month: 10", "manual_backups_per_month: 1")
    )
    world.back_up("acme|manual|2026-11-23T10:00:00Z")
    with pytest.raises(RefusedError, match="has used its 1 manual backups of 2026-11"):
        world.run(OPEN, "acme|manual|2026-11-24T10:00:00Z")
    assert world.lease("acme").owner is None
    world.back_up("acme|manual|2026-12-01T10:00:00Z")


def test_a_manual_backup_names_the_point_that_it_pushes_out(world: World) -> None:
    world.entries["acme"]["plan"] = "standard"
    plans = (world.config / "plans.yaml").read_text()
    (world.config / "plans.yaml").write_text(plans.replace("rpo_hours", "retention: {manual: 1}\n    rpo_hours"))
    older = world.back_up("acme|manual|2026-11-23T10:00:00Z")
    opened = world.run(OPEN, "acme|manual|2026-11-24T10:00:00Z", "run-2")
    assert f"Once this one is verified, {older.id} will expire: the plan keeps 1 manual points." in opened["message"]


def test_an_unknown_tenant_is_refused_before_anything_is_written(world: World) -> None:
    with pytest.raises(ConfigurationError, match="There is no tenant 'nobody' in the register"):
        world.run(OPEN, "nobody|daily|2026-11-23")
    assert world.runner.run(world.vault.lease("nobody")) is None


def test_an_open_that_meets_its_deadline_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    trigger = world.step(OPEN, TODAY)
    trigger.deadline = 1
    monkeypatch.setattr(OpenRecoveryPointTrigger, "_begin", never)
    with pytest.raises(UnavailableError, match="did not end within"):
        world.runner.run(trigger.work_within_deadline())
    assert world.lease("acme").owner is None
