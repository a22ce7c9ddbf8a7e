"""The vault: nothing is overwritten that somebody else wrote, and a lost answer is not taken for a conflict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from include.rules.errors import ConflictError, LeaseBusyError, LeaseLostError, PartError, UnavailableError
from include.rules.points.leases import Lease, Purpose
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import State
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.documents import Stored
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import running, verified

pytestmark = pytest.mark.lab


def test_an_id_can_be_claimed_once(any_vault: VaultUnderTest) -> None:
    async def claim(vault: Vault) -> tuple[list[object], Versioned[Manifest] | None]:
        claims = [vault.points.create(running().model_copy(update={"owner": f"run-{n}"})) for n in range(8)]
        outcomes = await asyncio.gather(*claims, return_exceptions=True)
        return list(outcomes), await vault.points.get("acme", "acme-daily-20261123")

    outcomes, current = any_vault.run(claim)
    winners = [outcome for outcome in outcomes if isinstance(outcome, Versioned)]
    assert len(winners) == 1
    assert all(isinstance(outcome, Versioned | ConflictError) for outcome in outcomes)
    assert current == winners[0]


def test_a_change_is_not_written_over_somebody_elses(any_vault: VaultUnderTest) -> None:
    async def write(vault: Vault) -> Manifest:
        first = await vault.points.create(running())
        await vault.points.replace(first.value.with_failure("theirs"), first.etag)
        with pytest.raises(ConflictError):
            await vault.points.replace(first.value.with_failure("mine"), first.etag)
        current = await vault.points.get("acme", first.value.id)
        assert current
        return current.value

    assert any_vault.run(write).failure == "theirs"


def test_no_change_is_lost_when_many_change_one_document(any_vault: VaultUnderTest) -> None:
    async def count(vault: Vault) -> int:
        def one_more(lease: Lease | None) -> Lease:
            current = lease or Lease(tenant="acme", expires_at=running().opened_at)
            return current.model_copy(update={"token": current.token + 1})

        await asyncio.gather(*(vault.change_lease("acme", one_more) for _ in range(5)))
        lease = await vault.lease("acme")
        assert lease
        return lease.value.token

    assert any_vault.run(count) == 5


@pytest.mark.parametrize("fault", [{"drop": True}, {"code": "InternalError", "status": 500}])
@pytest.mark.parametrize("times", [1, 2])
def test_an_answer_lost_after_the_write_is_recognised_as_ones_own(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, fault: dict[str, object], times: int
) -> None:
    async def write(vault: Vault) -> Stored:
        lab_cloud.add_fault("s3:PutObject", after=True, times=times, match="manifest.json", **fault)
        created = await vault.points.create(running())
        lab_cloud.add_fault("s3:PutObject", after=True, times=times, match="manifest.json", **fault)
        changed = await vault.points.replace(created.value.with_failure("mine"), created.etag)
        current = await vault.documents.get("recovery-points/acme/acme-daily-20261123/manifest.json")
        assert current
        assert current.etag == changed.etag
        return current

    assert moto_vault.run(write).content["failure"] == "mine"
    assert len(lab_cloud.fault_hits()) >= 2 * times


def test_a_conflict_is_a_conflict_even_when_its_answer_was_lost(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud
) -> None:
    async def write(vault: Vault) -> None:
        await vault.points.create(running())
        lab_cloud.add_fault("s3:PutObject", after=True, drop=True, times=1, match="manifest.json")
        with pytest.raises(ConflictError):
            await vault.points.create(running().with_failure("second"))

    moto_vault.run(write)


def test_a_vault_that_refuses_says_where_and_what_to_do(moto_vault: VaultUnderTest, lab_cloud: LabCloud) -> None:
    async def write(vault: Vault) -> None:
        lab_cloud.add_fault("s3:PutObject", code="AccessDenied", status=403, times=None)
        with pytest.raises(UnavailableError) as caught:
            await vault.points.create(running())
        assert "The vault could not be written: AWS answered AccessDenied" in str(caught.value)
        assert "Check the bucket and its policy" in str(caught.value)
        assert vault.documents.bucket in str(caught.value)

    moto_vault.run(write)


def test_a_document_that_nobody_understands_is_left_alone(any_vault: VaultUnderTest) -> None:
    async def read(vault: Vault) -> None:
        key = "recovery-points/acme/acme-daily-20261123/manifest.json"
        await vault.documents.create(key, {**running().model_dump(mode="json"), "version": 99})
        with pytest.raises(PartError, match="is not a Manifest that this version understands"):
            await vault.points.get("acme", "acme-daily-20261123")
        assert await vault.documents.get(key) is not None

    any_vault.run(read)


def test_listing_shows_the_points_of_one_tenant_only(any_vault: VaultUnderTest) -> None:
    async def listing(vault: Vault) -> list[str]:
        for name in ("acme|daily|2026-11-23", "acme|manual|2026-11-23T10:00:00Z", "acme-2|daily|2026-11-23"):
            await vault.points.create(verified(name))
        assert await vault.point_ids("acme", "acme-manual-202611") == ["acme-manual-20261123T100000Z"]
        return await vault.point_ids("acme")

    assert any_vault.run(listing) == ["acme-daily-20261123", "acme-manual-20261123T100000Z"]


def test_only_one_of_many_runs_gets_the_lease(any_vault: VaultUnderTest) -> None:
    async def race(vault: Vault) -> list[object]:
        runs = [tenant_lease.acquire(vault, "acme", f"run-{n}", Purpose.BACKUP) for n in range(4)]
        return list(await asyncio.gather(*runs, return_exceptions=True))

    outcomes = any_vault.run(race)
    assert len([outcome for outcome in outcomes if isinstance(outcome, tenant_lease.TenantLease)]) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, LeaseBusyError)]) == 3


def test_a_waiting_backup_gets_the_lease_when_it_is_given_back(any_vault: VaultUnderTest) -> None:
    async def wait(vault: Vault) -> tenant_lease.TenantLease:
        first = await tenant_lease.acquire(vault, "acme", "run-1", Purpose.BACKUP)
        waiting = asyncio.create_task(tenant_lease.acquire(vault, "acme", "run-2", Purpose.BACKUP, wait=20))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await first.release()
        return await waiting

    assert any_vault.run(wait).owner == "run-2"


def test_a_lease_is_renewed_for_as_long_as_a_step_takes(
    monkeypatch: pytest.MonkeyPatch, any_vault: VaultUnderTest
) -> None:
    settings = any_vault.settings.__class__(
        **{**vars(any_vault.settings), "lease_ttl": timedelta(seconds=1.2 * pace())}
    )

    async def hold(_: Vault) -> None:
        vault = Vault(settings)
        await tenant_lease.acquire(vault, "acme", "run-1", Purpose.BACKUP)
        async with tenant_lease.continue_under_lease(vault, "acme", "run-1"):
            await asyncio.sleep(2.5)
            with pytest.raises(LeaseBusyError):
                await tenant_lease.acquire(vault, "acme", "run-2", Purpose.BACKUP)

    any_vault.run(hold)


def test_a_step_that_was_outranked_is_stopped_and_cannot_write(any_vault: VaultUnderTest) -> None:
    settings = any_vault.settings.__class__(**{**vars(any_vault.settings), "lease_ttl": timedelta(seconds=pace())})

    async def be_outranked(vault: Vault) -> None:
        async with tenant_lease.continue_under_lease(vault, "acme", "run-1") as old:
            stale = await LeasedPoint.load(old, "acme-daily-20261123")
            async with tenant_lease.continue_under_lease(vault, "acme", "run-1") as new:
                await (await LeasedPoint.load(new, "acme-daily-20261123")).change(lambda m: m.with_failure("new"))
                with pytest.raises(LeaseLostError):
                    await stale.change(lambda m: m.with_failure("old"))
                await asyncio.sleep(5 * pace())
                pytest.fail("the outranked step was not stopped")

    async def outrank(_: Vault) -> Manifest:
        vault = Vault(settings)
        await tenant_lease.acquire(vault, "acme", "run-1", Purpose.BACKUP)
        await vault.points.create(running())
        with pytest.raises(LeaseLostError):
            await be_outranked(vault)
        current = await vault.points.get("acme", "acme-daily-20261123")
        assert current
        return current.value

    assert any_vault.run(outrank).failure == "new"


def test_a_point_that_a_fenced_off_step_has_verified_with_its_last_write_can_still_lose_a_damaged_part(
    moto_vault: VaultUnderTest,
) -> None:
    pending = verified().model_copy(update={"state": State.PENDING, "verification": None})
    proof = verified().verification
    assert proof

    async def overtake(vault: Vault, change: Callable[[Manifest], Manifest]) -> State:
        current = await vault.points.get("acme", pending.id)
        first = await (vault.points.replace(pending, current.etag) if current else vault.points.create(pending))
        async with tenant_lease.continue_under_lease(vault, "acme", "run-1") as lease:
            point = await LeasedPoint.load(lease, pending.id)
            await vault.points.replace(verified(), first.etag)
            return (await point.change(change)).state

    async def overtake_each(vault: Vault) -> list[State]:
        await tenant_lease.acquire(vault, "acme", "run-1", Purpose.BACKUP)
        changes: list[Callable[[Manifest], Manifest]] = [
            lambda manifest: manifest.complete(),
            lambda manifest: manifest.verified(proof),
            lambda manifest: manifest.without_part(PartName.BAK),
        ]
        return [await overtake(vault, change) for change in changes]

    assert moto_vault.run(overtake_each) == [State.VERIFIED, State.VERIFIED, State.RUNNING]


def test_a_shared_snapshot_comes_back_as_it_was_written(any_vault: VaultUnderTest) -> None:
    claim = SharedSnapshot(
        volume="vol-0123456789abcdef0",
        id="20261123-0001",
        nonce="of-the-claim",
        state=ShareState.CLAIMED,
        owner="run-1",
    )

    async def write(vault: Vault) -> SharedSnapshot:
        await vault.shared_snapshots.create(claim)
        changed = await vault.change_shared_snapshot(claim.volume, claim.id, lambda document: document)
        assert (await vault.shared_snapshots.require(claim.volume, claim.id)).value == changed.value
        return changed.value

    assert any_vault.run(write) == claim


def test_what_the_vault_keeps_of_a_point_holds_no_credentials(any_vault: VaultUnderTest) -> None:
    async def write(vault: Vault) -> str:
        await vault.points.create(verified())
        await tenant_lease.acquire(vault, "acme", "run-1", Purpose.BACKUP)
        keys = [key async for key in vault.documents.keys("")]
        documents = [await vault.documents.get(key) for key in keys]
        assert len(keys) == 2
        return json.dumps([document.content for document in documents if document])

    text = any_vault.run(write)
    assert "secret" not in text.lower()
    assert "password" not in text.lower()
