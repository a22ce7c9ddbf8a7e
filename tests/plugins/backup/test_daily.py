"""The day of the whole fleet: who still lacks a point, where some manifests, or all of them, cannot be read."""

from __future__ import annotations

import pytest

from include.rules.errors import PartError, UnavailableError
from include.rules.points.requests import parse_moment
from perennial.backup.daily import ConfirmDailyBackupsTrigger
from perennial.backup.dispatch import partitions_missing
from tests.support.steps import TODAY
from tests.support.triggers import trigger_of
from tests.support.world import World

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
