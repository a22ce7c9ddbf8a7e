"""A tenant's lease in the hands of one step: entered at its start, renewed meanwhile, checked before each effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from include.rules.errors import LeaseBusyError, LeaseLostError, UnavailableError
from include.rules.points.leases import RENEWALS, Lease, Purpose
from perennial.hooks import waits
from perennial.hooks.vault.vault import Vault


@dataclass(frozen=True)
class TenantLease:
    """The right of one step to act on one tenant.

    Attributes:
        vault: Where the lease is kept.
        tenant: Whose lease it is.
        owner: Deployment, DAG and run that hold it.
        token: The fencing token this step took when it began.
    """

    vault: Vault
    tenant: str
    owner: str
    token: int

    async def check(self) -> None:
        """Make sure, right before a side effect, that no later step has taken over.

        Raises:
            OutrankedError, LeaseLostError: when one of the same run has; or another owner.
        """
        current = await self.vault.lease(self.tenant)
        (current.value if current else _never_taken(self.tenant)).check(self.owner, self.token)

    async def release(self) -> None:
        """Give the lease back; once it has gone to somebody else this changes nothing."""
        with suppress(LeaseLostError):
            await self.vault.change_lease(
                self.tenant,
                lambda current: (current or _never_taken(self.tenant)).released(self.owner, self.token, now=_now()),
            )


async def acquire(
    vault: Vault, tenant: str, owner: str, purpose: Purpose, *, wait: float = 0, incarnation: str = ""
) -> TenantLease:
    """Take the tenant's lease, waiting up to `wait` seconds for another holder to give it back.

    Args:
        incarnation: Which incarnation of the step takes it.

    Raises:
        LeaseBusyError: when it is still another's; the message names the holder.
        OutrankedError: when a later incarnation of the same run has taken it while this one waited.
    """
    ttl, deadline = vault.settings.lease_ttl, asyncio.get_running_loop().time() + wait
    take = _unless_outranked(
        tenant,
        owner,
        incarnation,
        lambda found: found.acquired(owner, purpose, now=_now(), ttl=ttl, incarnation=incarnation),
    )
    while True:
        try:
            lease = await vault.change_lease(tenant, take)
            return TenantLease(vault, tenant, owner, lease.token)
        except LeaseBusyError as busy:
            waits.note(f"the lease of tenant {tenant}: {busy.what}")
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(min(vault.settings.poll.total_seconds(), wait))


@asynccontextmanager
async def continue_under_lease(
    vault: Vault, tenant: str, owner: str, *, incarnation: str = ""
) -> AsyncIterator[TenantLease]:
    """Begin a step under the lease that this owner's run has acquired, and keep the lease renewed during the block.

    Args:
        incarnation: Which incarnation of the step begins.

    Raises:
        LeaseLostError: when the run does not hold it, at the start or, by cancelling the block, at any time later.
        OutrankedError: when a later incarnation of the same run has begun meanwhile, or, in the same way, begins.
    """
    ttl = vault.settings.lease_ttl
    take = _unless_outranked(
        tenant, owner, incarnation, lambda found: found.continued(owner, now=_now(), ttl=ttl, incarnation=incarnation)
    )
    document = await vault.change_lease(tenant, take)
    lease = TenantLease(vault, tenant, owner, document.token)
    async with renewing(lease):
        yield lease


@asynccontextmanager
async def released_after(lease: TenantLease) -> AsyncIterator[None]:
    """Give the lease back at the end of the block, well or not; kept when the block is cancelled and will run again."""
    try:
        yield
    except Exception:
        await lease.release()
        raise
    await lease.release()


@asynccontextmanager
async def renewing(lease: TenantLease) -> AsyncIterator[None]:
    """Renew the lease during the block.

    Raises:
        LeaseLostError: when it has gone to somebody else; the block is cancelled.
    """
    block, losses = asyncio.current_task(), []

    async def renew() -> None:
        try:
            await _renew_for_ever(lease)
        except LeaseLostError as error:
            losses.append(error)
            if block:
                block.cancel()

    renewal = asyncio.create_task(renew(), name=f"renew the lease of {lease.tenant}")
    try:
        yield
    except asyncio.CancelledError:
        if losses and block:
            block.uncancel()
            raise losses[0] from None
        raise
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal


async def _renew_for_ever(lease: TenantLease) -> None:
    ttl = lease.vault.settings.lease_ttl
    while True:
        await asyncio.sleep(ttl.total_seconds() / RENEWALS)
        # A vault that does not answer for a moment is no reason to stop: the lease still has most of its time.
        with suppress(UnavailableError):
            await lease.vault.change_lease(
                lease.tenant,
                lambda current: (current or _never_taken(lease.tenant)).renewed(
                    lease.owner, lease.token, now=_now(), ttl=ttl
                ),
            )


def _unless_outranked(
    tenant: str, owner: str, incarnation: str, take: Callable[[Lease], Lease]
) -> Callable[[Lease | None], Lease]:
    """`take`, which takes the lease's next token, and takes none from an incarnation that has begun since it first
    looked: that one is the later of the two.
    """
    first_token: int | None = None

    def take_or_raise(current: Lease | None) -> Lease:
        nonlocal first_token
        found = current or _never_taken(tenant)
        if first_token is None:
            first_token = found.token
        elif found.is_outranked(owner, incarnation):
            found.check(owner, first_token)
        return take(found)

    return take_or_raise


def _never_taken(tenant: str) -> Lease:
    return Lease(tenant=tenant, expires_at=_now())


def _now() -> datetime:
    return datetime.now(UTC)
