"""Steps of one run in two triggerers: what each remembers of the run is not taken for what it has become."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from include.rules.errors import DamagedBackupError
from include.rules.points.holds import Hold
from perennial.hooks.vault.vault import Vault
from perennial.steps.trigger import StepResult
from tests.support.elsewhere import elsewhere
from tests.support.holdings import assert_one_of_each
from tests.support.steps import BACKUP, CHAIN, CLOSE, TODAY, VERIFY, Step, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab

POINT = "acme-daily-20261123"


def run_elsewhere(world: World, step: Step) -> StepResult:
    """Run a step in another process."""

    def work(_: Vault) -> Awaitable[StepResult]:
        return world.step(step, TODAY).work_within_deadline()

    return elsewhere(work)


def test_steps_that_take_turns_in_two_processes_make_one_recovery_point(world: World) -> None:
    for number, step in enumerate(CHAIN):
        if number % 2:
            run_elsewhere(world, step)
        else:
            world.run(step, TODAY)
    assert assert_one_of_each(world, TODAY).token == 5


def test_a_hold_that_comes_between_two_steps_stays(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    hold = Hold(reason="a lawsuit", author="ada", placed_at=datetime.now(UTC))
    elsewhere(lambda vault: vault.change_point("acme", POINT, lambda m: m.with_hold(hold, "ada", hold.placed_at)))
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert assert_one_of_each(world, TODAY).hold == hold


def test_what_another_process_has_verified_is_left_alone(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    for step in chain_from(VERIFY):
        run_elsewhere(world, step)
    before = world.manifest(TODAY)
    assert "verified already" in world.run(VERIFY, TODAY)["message"]
    assert world.run(CLOSE, TODAY)["state"] == "verified"
    assert world.manifest(TODAY) == before
    assert_one_of_each(world, TODAY)


def test_a_part_that_another_process_has_found_damaged_is_made_again(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    whole = world.read_file(world.files(TODAY)[0])
    world.write_file(world.files(TODAY)[0], whole[: len(whole) // 2])
    with pytest.raises(DamagedBackupError):
        run_elsewhere(world, VERIFY)
    for step in chain_from(BACKUP):
        world.run(step, TODAY)
    bak = world.manifest(TODAY).parts.bak
    assert bak
    assert bak.number == 2
