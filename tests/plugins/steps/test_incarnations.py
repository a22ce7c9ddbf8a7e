"""Incarnations of a step: only the latest of its run acts, cleans up, and says how the task has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from airflow.triggers.base import TaskFailedEvent, TaskSuccessEvent

from include.rules.errors import OutrankedError, PartError
from include.rules.points.leases import Lease, Purpose
from lab.testing.deadlines import pace, within
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.memory import memories
from perennial.hooks.vault.vault import Vault
from perennial.steps import incarnation
from tests.support.incarnations import OWNER, Opens, beginning, in_vault, says_nothing, step
from tests.support.triggers import trigger_of
from tests.support.vaults import VaultUnderTest

pytestmark = pytest.mark.lab


def set_ttl(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", str(seconds))


def airflow_says(monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
    """Let Airflow answer that the task is in this state."""

    async def states(instance: Any) -> Mapping[str, str | None]:
        return {instance.task_id: state}

    monkeypatch.setattr(incarnation, "task_states", states)


@pytest.mark.parametrize("error", [None, PartError("It broke."), RuntimeError("a bug"), TimeoutError()])
def test_an_outranked_incarnation_says_nothing_however_it_ends(
    moto_vault: VaultUnderTest, error: Exception | None
) -> None:
    async def outrank(_: Vault) -> None:
        first, second = step(), step()
        async with beginning(first) as of_first, beginning(second) as of_second:
            first.ends_with = error
            first.ending.set()
            assert await says_nothing(of_first)
            second.ending.set()
            (event,) = await of_second
            assert isinstance(event, TaskSuccessEvent)
        assert (first.times, second.times) == (1, 1)

    in_vault(moto_vault, outrank)


def test_one_that_learns_of_it_by_its_lease_says_nothing_either(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_ttl(monkeypatch, 2 * pace())

    async def outrank(_: Vault) -> None:
        first, second = step(), step()
        async with beginning(first) as of_first, beginning(second):
            assert await says_nothing(of_first, 3 * pace())
            assert not first.ending.is_set()

    in_vault(moto_vault, outrank)


def test_an_outranked_incarnation_that_is_killed_leaves_what_its_successor_has_joined(
    moto_vault: VaultUnderTest,
) -> None:
    async def kill_both(_: Vault) -> None:
        first, second = step(), step()
        async with beginning(first), beginning(second):
            await first.on_kill()
            await second.on_kill()
        assert (first.called_off, second.called_off) == (0, 1)

    in_vault(moto_vault, kill_both)


def test_an_outranked_incarnation_at_its_deadline_leaves_what_its_successor_has_joined(
    moto_vault: VaultUnderTest,
) -> None:
    async def run_late(_: Vault) -> None:
        first, second = step(deadline=0.7 * pace()), step()
        async with beginning(first) as of_first, beginning(second):
            assert await says_nothing(of_first, 2 * pace())
        assert first.called_off == 0

    in_vault(moto_vault, run_late)


@pytest.mark.parametrize(("state", "called_off"), [("deferred", 0), ("failed", 1), (None, 1), ("success", 1)])
def test_on_kill_is_believed_only_when_airflow_no_longer_waits_for_the_task(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch, state: str | None, called_off: int
) -> None:
    airflow_says(monkeypatch, state)

    async def kill(_: Vault) -> None:
        alone = step()
        async with beginning(alone):
            await alone.on_kill()
        assert alone.called_off == called_off

    in_vault(moto_vault, kill)


def test_one_whose_lease_another_run_has_taken_fails_and_says_so(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_ttl(monkeypatch, 2 * pace())

    async def steal(vault: Vault) -> None:
        robbed = step()
        async with beginning(robbed) as task:
            await vault.change_lease("acme", lambda lease: taken(lease, "test/retention/run-7"))
            (event,) = await task
        assert isinstance(event, TaskFailedEvent)
        assert event.xcoms
        assert "no longer holds the lease of tenant acme; it is with test/retention/run-7" in str(
            event.xcoms["failure"]
        )

    in_vault(moto_vault, steal)


def taken(lease: Lease | None, owner: str) -> Lease:
    assert lease
    return lease.model_copy(update={"owner": owner, "purpose": "retention", "token": lease.token + 1})


@pytest.mark.parametrize(("state", "begins_again"), [("deferred", True), ("failed", False)])
def test_one_that_was_outranked_by_one_that_has_died_begins_again_while_airflow_waits_for_it(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch, state: str, begins_again: bool
) -> None:
    set_ttl(monkeypatch, 3 * pace())
    airflow_says(monkeypatch, state)

    async def outlive(_: Vault) -> None:
        first, second = step(), step()
        async with beginning(first) as of_first:
            async with beginning(second):
                first.ending.set()
                assert await says_nothing(of_first)
            if begins_again:
                (event,) = await asyncio.wait_for(of_first, within(20))
                assert isinstance(event, TaskSuccessEvent)
                assert event.xcoms == {"return_value": {"times": 2}}
            else:
                assert await says_nothing(of_first, 5 * pace())

    in_vault(moto_vault, outlive)


def test_of_two_that_wait_for_a_busy_tenant_one_opens_and_the_other_says_nothing(moto_vault: VaultUnderTest) -> None:
    async def wait_together(vault: Vault) -> None:
        busy = await tenant_lease.acquire(vault, "acme", "test/retention/run-7", Purpose.RETENTION)
        opening = [trigger_of(Opens), trigger_of(Opens)]
        first, second = (trigger for trigger in opening if isinstance(trigger, Opens))
        async with beginning(first) as of_first, beginning(second) as of_second:
            await asyncio.sleep(0.5)  # both have seen that it is another's
            mine = await _take_over(vault, busy)
            assert await says_nothing(of_first)
            assert await says_nothing(of_second, 0.1)
            await mine.release()

    moto_vault.run(wait_together)


async def _take_over(vault: Vault, busy: tenant_lease.TenantLease) -> tenant_lease.TenantLease:
    """A third incarnation of the same run takes the lease as soon as it is free."""

    def take(lease: Lease | None) -> Lease:
        assert lease
        return lease.model_copy(update={"owner": OWNER, "token": lease.token + 1, "incarnation": "third"})

    lease = await vault.change_lease("acme", take)
    return tenant_lease.TenantLease(vault, busy.tenant, OWNER, lease.token)


def test_a_token_is_not_taken_from_an_incarnation_that_began_since_the_first_look(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interleave(vault: Vault) -> None:
        look, later = vault.lease, Vault(vault.settings)
        memories.pop()  # it begins in another process than the one that has opened the run
        outrun = False

        async def look_and_be_outrun(tenant: str) -> Any:
            nonlocal outrun
            seen = await look(tenant)
            if not outrun:
                outrun = True
                async with tenant_lease.continue_under_lease(later, "acme", OWNER, incarnation="later"):
                    pass
            return seen

        monkeypatch.setattr(vault, "lease", look_and_be_outrun)
        with pytest.raises(OutrankedError, match="A later step of the same run acts on tenant acme now"):
            async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="earlier"):
                pytest.fail("the earlier one has taken the token")
        left = await look("acme")
        assert left
        assert left.value.incarnation == "later"

    in_vault(moto_vault, interleave)
