"""A tenant's lease in the hands of one step: entered at its start, renewed meanwhile, checked before each effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.rules.errors import LeaseBusyError, LeaseLostError, UnavailableError
from include.rules.points.leases import EFFECT_WITHIN, RENEWALS, Lease, Purpose, Restored
from perennial.hooks import waits
from perennial.hooks.vault.memory import clock
from perennial.hooks.vault.vault import Vault


@dataclass(frozen=True)
class TenantLease:
    """The right of one step to act on one tenant.

    Attributes:
        vault: Where the lease is kept.
        tenant: Whose lease it is.
        owner: Deployment, DAG and run that hold it.
        token: The fencing token this step took when it began.
        restored: The tenant's last restore, before this step's own; None when there was none.
    """

    vault: Vault
    tenant: str
    owner: str
    token: int
    restored: Restored | None = None

    async def check(self, within: timedelta = EFFECT_WITHIN) -> None:
        """Make sure, right before a side effect, that no later step has taken over.

        Args:
            within: How old the store's last word on it may be; older than that, the lease is read.

        Raises:
            OutrankedError, LeaseLostError: when one of the same run has; or another owner.
        """
        current = await self.vault.proven_lease(self.tenant, within)
        (current or _never_taken(self.tenant)).check(self.owner, self.token)

    async def release(self) -> None:
        """Give the lease back; once it has gone to somebody else this changes nothing."""
        with suppress(LeaseLostError):
            await self._change(lambda lease: lease.released(self.owner, self.token, now=_now()))

    async def renew(self) -> None:
        """Keep the lease for its whole time again.

        Raises:
            OutrankedError, LeaseLostError: when it has gone to a later step of the same run, or to another owner.
        """
        ttl = self.vault.settings.lease_ttl
        await self._change(lambda lease: lease.renewed(self.owner, self.token, now=_now(), ttl=ttl))

    async def _change(self, change: Callable[[Lease], Lease]) -> None:
        def changed(current: Lease | None) -> Lease:
            return change(current or _never_taken(self.tenant))

        if await self.vault.change_known_lease(self.tenant, changed) is None:
            await self.vault.change_lease(self.tenant, changed)


async def acquire(
    vault: Vault,
    tenant: str,
    owner: str,
    purpose: Purpose,
    *,
    wait: float = 0,
    incarnation: str = "",
    point: str = "",
) -> TenantLease:
    """Take the tenant's lease, waiting up to `wait` seconds for another holder to give it back.

    Args:
        incarnation: Which incarnation of the step takes it.
        point: Id of the recovery point that is to be made; empty for other purposes.

    Raises:
        LeaseBusyError: when it is still another's; the message names the holder.
        OutrankedError: when a later incarnation of the same run has taken it while this one waited.
    """
    ttl, deadline = vault.settings.lease_ttl, asyncio.get_running_loop().time() + wait
    taking = _Taking(
        vault,
        tenant,
        owner,
        incarnation,
        lambda found: found.acquired(owner, purpose, now=_now(), ttl=ttl, incarnation=incarnation, point=point),
    )
    while True:
        try:
            return await taking.next_token()
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
    taking = _Taking(
        vault,
        tenant,
        owner,
        incarnation,
        lambda found: found.continued(owner, now=_now(), ttl=ttl, incarnation=incarnation),
    )
    lease = await taking.next_token()
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
            await lease.renew()


@dataclass
class _Taking:
    """Takes a lease's next token for one incarnation, and takes none from another incarnation of the same run that has
    begun since this one first looked: that one is the later of the two.

    Attributes:
        take: Makes of the lease as it stands the lease as this incarnation takes it, or raises.
        first_token: The token at the first look; None before it.
    """

    vault: Vault
    tenant: str
    owner: str
    incarnation: str
    take: Callable[[Lease], Lease]
    first_token: int | None = None

    async def next_token(self) -> TenantLease:
        """Write the lease, at once where this process knows it, else after reading it.

        Raises:
            As `take`; OutrankedError when a later incarnation has begun.
        """
        began, is_first = clock(), self.first_token is None
        lease = await self.vault.change_known_lease(self.tenant, self._taken)
        if lease is None:
            # What was remembered was no look: another process may have had the run's steps since. But where the answer
            # took so long that this incarnation may have been stalled, who is found now may have begun after it.
            if is_first and clock() - began < EFFECT_WITHIN.total_seconds():
                self.first_token = None
            lease = await self.vault.change_lease(self.tenant, self._taken)
        return TenantLease(self.vault, self.tenant, self.owner, lease.token, lease.restored)

    def _taken(self, current: Lease | None) -> Lease:
        found = current or _never_taken(self.tenant)
        if self.first_token is None:
            self.first_token = found.token
        elif found.is_outranked(self.owner, self.incarnation):
            found.check(self.owner, self.first_token)
        return self.take(found)


def _never_taken(tenant: str) -> Lease:
    return Lease(tenant=tenant, expires_at=_now())


def _now() -> datetime:
    return datetime.now(UTC)
