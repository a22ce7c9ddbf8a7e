"""Work on the tenants of a fleet, some of them at a time: the trouble of one stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from include.rules.errors import OutrankedError, PerennialError
from include.rules.retention.reports import TenantReport
from perennial.retention.planning import report_fault
from perennial.retention.troubles import trouble_of

TENANTS_AT_ONCE = 16


async def for_each_tenant(
    tenants: Iterable[str],
    work: Callable[[str], Awaitable[None]],
    reports: dict[str, TenantReport],
    *,
    at_once: int = TENANTS_AT_ONCE,
) -> None:
    """Work on each of the tenants; what stops one goes into its report, which is made where there is none.

    Raises:
        OutrankedError: when a later incarnation of this run is at work; it goes on with all tenants.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(tenant: str) -> None:
        report = reports.setdefault(tenant, TenantReport(tenant))
        async with gate:
            try:
                await work(tenant)
            except OutrankedError:
                raise
            except PerennialError as error:
                report.troubles.append(trouble_of(error, f"Tenant {tenant}"))
            except Exception as error:
                report_fault(report, error)

    try:
        async with asyncio.TaskGroup() as group:
            for tenant in tenants:
                group.create_task(one(tenant))
    except ExceptionGroup as outranked:  # nothing else comes out of them, and one is enough
        raise outranked.exceptions[0] from outranked
