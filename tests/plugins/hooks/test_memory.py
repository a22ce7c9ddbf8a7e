"""What a process remembers of the vault: it saves reads, and never makes a step act that another one has outranked."""

from __future__ import annotations

import asyncio
import gc

import pytest

from include.rules.errors import LeaseBusyError
from include.rules.points.leases import Lease, Purpose
from include.rules.points.manifest import Manifest
from lab.testing.cloud import LabCloud
from perennial.hooks.vault import memory, tenant_lease
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.memory import Memory
from perennial.hooks.vault.vault import Vault
from tests.support.elsewhere import OWNER, POINT, meanwhile, opened, reads
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import NOW

__all__ = ["reads"]

pytestmark = pytest.mark.lab


def test_a_step_in_the_process_of_the_one_before_it_reads_nothing(moto_vault: VaultUnderTest, reads: list[str]) -> None:
    async def follow(vault: Vault) -> None:
        await opened(vault)
        reads.clear()
        await asyncio.sleep(1.1)  # the store tells whole seconds
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER) as lease:
            known = vault.points.remembered("acme", POINT)
            assert known
            assert known.seen_at > known.written_at, "the store has said since that nobody has acted on the tenant"
            point = await LeasedPoint.load(lease, POINT)
            await lease.check()
            await point.change(lambda m: m.with_failure("seen"))
            await lease.release()
        assert reads == []
        current = await vault.points.get("acme", POINT)
        assert current
        assert (current.value.failure, current.value.token) == ("seen", 2)

    moto_vault.run(follow)


def test_what_another_process_has_written_under_the_lease_is_read(moto_vault: VaultUnderTest) -> None:
    async def change_elsewhere(vault: Vault) -> None:
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="elsewhere") as lease:
            await (await LeasedPoint.load(lease, POINT)).change(lambda m: m.with_failure("theirs"))

    async def follow(vault: Vault) -> None:
        await opened(vault)
        await meanwhile(change_elsewhere)
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER) as lease:
            assert lease.token == 3
            assert (await LeasedPoint.load(lease, POINT)).manifest.failure == "theirs"

    moto_vault.run(follow)


def test_an_answer_that_is_lost_takes_one_token(moto_vault: VaultUnderTest, lab_cloud: LabCloud) -> None:
    async def follow(vault: Vault) -> None:
        await opened(vault)
        lab_cloud.add_fault("s3:PutObject", after=True, drop=True, times=1, match="leases/acme")
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="later") as lease:
            assert lease.token == 2
            await lease.check()
        assert len(lab_cloud.fault_hits()) >= 1
        current = await vault.lease("acme")
        assert current
        assert (current.value.token, current.value.incarnation) == (2, "later")

    moto_vault.run(follow)


def test_that_a_tenant_is_busy_is_not_believed_without_reading(moto_vault: VaultUnderTest) -> None:
    async def release_elsewhere(vault: Vault) -> None:
        await tenant_lease.TenantLease(vault, "acme", OWNER, 1).release()

    async def wait(vault: Vault) -> None:
        await opened(vault)
        with pytest.raises(LeaseBusyError):
            await tenant_lease.acquire(vault, "acme", "run-2", Purpose.BACKUP)
        await meanwhile(release_elsewhere)
        assert (await tenant_lease.acquire(vault, "acme", "run-2", Purpose.BACKUP)).token == 2

    moto_vault.run(wait)


def test_what_was_found_out_is_written_with_the_next_write(moto_vault: VaultUnderTest) -> None:
    async def follow(vault: Vault) -> None:
        await opened(vault)
        vault.learn_of_lease("acme", 1, found_whole=True)
        vault.learn_of_lease("acme", 7, point="somebody else's")
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER):
            pass
        current = await vault.lease("acme")
        assert current
        assert (current.value.found_whole, current.value.point) == (True, "")

    moto_vault.run(follow)


def documents_in_sight() -> set[int]:
    """Ids of those that collections look at; other tests may have left some."""
    gc.collect()
    return {id(one) for one in gc.get_objects() if isinstance(one, Manifest | Lease)}


def test_what_is_remembered_of_leases_and_documents_is_all_of_it_and_nothing_that_collections_look_at(
    moto_vault: VaultUnderTest,
) -> None:
    async def follow(vault: Vault) -> None:
        before = documents_in_sight()
        await opened(vault)
        vault.learn_of_lease("acme", 1, found_whole=True)
        assert documents_in_sight() <= before
        known, stored = await vault.known_lease("acme"), await vault.lease("acme")
        assert stored
        assert known == stored.value.model_copy(update={"found_whole": True})
        assert vault.points.remembered("acme", POINT) == await vault.points.get("acme", POINT)

    moto_vault.run(follow)


class Seen:
    """A document as `Memory` keeps it."""

    def __init__(self, etag: str, owner: str | None = OWNER) -> None:
        self.etag, self.value, self.seen_at = etag, Lease(tenant="acme", owner=owner, expires_at=NOW), NOW


def test_a_document_is_known_while_this_process_alone_changes_the_lease() -> None:
    known, manifest = Memory(), object()
    known.keep_document("m", "l", manifest)
    assert known.document("m", "l") is None, "nobody knows the lease"
    known.lease_read("l", Seen("1"), 1)
    known.keep_document("m", "l", manifest)
    known.lease_written("l", "1", Seen("2"), 2)
    known.lease_read("l", Seen("2"), 3)
    assert known.document("m", "l") is manifest
    known.lease_read("l", Seen("1"), 2.5)
    assert known.lease("l").etag == "2", "an answer from before the write has come late"  # type: ignore[union-attr]
    known.lease_read("l", Seen("3"), 4)
    assert known.document("m", "l") is None
    known.keep_document("m", "l", manifest)
    known.forget_lease("l")
    known.lease_read("l", Seen("3"), 5)
    assert known.document("m", "l") is None


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LEASES", 3)
    monkeypatch.setattr(memory, "DOCUMENTS", 2)
    known = Memory()
    for number in range(5):
        known.lease_read(f"l{number}", Seen("1"), number)
        known.keep_document(f"m{number}", f"l{number}", number)
    assert [number for number in range(5) if known.lease(f"l{number}")] == [2, 3, 4]
    assert [number for number in range(5) if known.document(f"m{number}", f"l{number}") is not None] == [3, 4]
