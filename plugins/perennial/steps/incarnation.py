"""Which incarnation of a step speaks for its task.

A triggerer that was only stalled goes on where it was, while another one has taken its triggers over. Airflow takes the
event of either for the task's, fails a task whose trigger ends without one, and calls `on_kill` on the first as if
somebody had acted. So an incarnation that is outranked by its lease's token says nothing and waits to be cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from uuid import uuid4

from airflow.triggers.base import BaseTrigger

from include.rules.errors import PerennialError, UnavailableError
from include.rules.points.leases import RENEWALS, Lease, Purpose
from perennial.hooks.vault.tenant_lease import TenantLease, acquire, continue_under_lease
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from perennial.steps.task_states import DEFERRED, task_states


class Incarnation(BaseTrigger):
    """A trigger that works for one run, and knows whether it is the latest of that run to act on a tenant."""

    _leased_tenant: str | None = None
    has_taken_token = False
    """True once it has begun to act under the run's lease."""

    @cached_property
    def settings(self) -> Settings:
        """The settings of this deployment.

        Raises:
            ConfigurationError: when one is missing or cannot be used.
        """
        return Settings.from_environment()

    @cached_property
    def vault(self) -> Vault:
        """The vault of this deployment; raises as `settings` does."""
        return Vault(self.settings)

    @property
    def owner(self) -> str:
        """Who this step works for: deployment, DAG and run, as a lease names its holder.

        Raises:
            UnavailableError: when nobody has told it.
        """
        instance = self.task_instance
        if instance is None:
            raise UnavailableError("The trigger does not know which run it works for.", todo="Clear the task.")
        return f"{self.settings.deployment}/{instance.dag_id}/{instance.run_id}"

    @property
    def step_id(self) -> str:
        """The step's name, as the UI has it; empty where nobody has told it."""
        return str(self.task_instance.task_id) if self.task_instance else ""

    @cached_property
    def incarnation(self) -> str:
        """What tells this trigger from another one that was started for the same task."""
        return uuid4().hex

    async def acquire(self, tenant: str, purpose: Purpose, *, wait: float = 0, point: str = "") -> TenantLease:
        """Take the tenant's lease for this run, as its latest incarnation; see `tenant_lease.acquire`."""
        self._leased_tenant = tenant
        lease = await acquire(
            self.vault, tenant, self.owner, purpose, wait=wait, incarnation=self.incarnation, point=point
        )
        self.has_taken_token = True
        return lease

    @asynccontextmanager
    async def under_lease(self, tenant: str) -> AsyncIterator[TenantLease]:
        """Act under the lease that this run holds, as its latest incarnation; see `continue_under_lease`."""
        self._leased_tenant = tenant
        async with continue_under_lease(self.vault, tenant, self.owner, incarnation=self.incarnation) as lease:
            self.has_taken_token = True
            yield lease

    async def _lease(self, within: timedelta = timedelta(0)) -> Lease | None:
        """The lease under which this step acts, as it was at most `within` ago; None when it acts under none."""
        return await self.vault.proven_lease(self._leased_tenant, within) if self._leased_tenant else None

    async def is_outranked(self, within: timedelta = timedelta(0)) -> bool:
        """True when another incarnation of this run has taken the lease's token since; nobody knows without the vault:
        then this one acts, as if it were alone.

        Args:
            within: How old the store's last word on it may be.
        """
        with suppress(PerennialError):
            lease = await self._lease(within)
            return lease is not None and lease.is_outranked(self.owner, self.incarnation)
        return False

    async def stand_by(self) -> None:
        """Wait for the triggerer to cancel this incarnation, which is outranked.

        It is not cancelled where the one that outranks it was itself the stalled one, or is another task of the run
        that somebody has cleared alone. So it returns, for the work to begin again, where Airflow still waits for this
        task and nobody is at work on it: the lease has gone from this run, or has not been renewed for some turns.
        """
        self.log.warning("A later incarnation of this run is at work: this one waits to be cancelled by its triggerer.")
        ttl = self.settings.lease_ttl
        for turn in count(1):
            await asyncio.sleep(ttl.total_seconds() / RENEWALS)
            with suppress(PerennialError):
                if await self.is_awaited() is False:
                    continue
                lease = await self._lease()
                if lease is None:  # it acts under a lease for each of many tenants
                    if turn >= RENEWALS:
                        return
                elif not lease.is_outranked(self.owner, self.incarnation) or lease.is_neglected(datetime.now(UTC), ttl):
                    return

    async def is_awaited(self) -> bool | None:
        """True while Airflow waits for this task to end; None when nobody can be asked."""
        states = await task_states(self.task_instance)
        if states is None or self.task_instance is None:
            return None
        return states.get(self.task_instance.task_id) == DEFERRED
