"""Could the tenant's hosts do their part of a restore: have they the programs, and file systems that a copy shows?"""

from __future__ import annotations

import asyncio

from include.rules.register.findings import Finding
from include.rules.register.restorable import HostTools, judge_tools
from include.rules.register.tenants import DatabaseHost, Tenant, WebHost
from perennial.hooks.asynchronous import PerLoop
from perennial.hooks.aws.hosts import Hosts, translate_script_errors
from perennial.register_check.volumes import JUST_NOW
from perennial.settings import Settings

SECONDS = 120

_seen: PerLoop[dict[tuple[str, str], tuple[float, asyncio.Task[HostTools]]]] = PerLoop(dict)


async def check_restorable(tenant: Tenant, settings: Settings) -> tuple[Finding, ...]:
    """Ask the web host, and the database's host where its snapshot could stand in for a .bak."""
    hosts: list[tuple[WebHost | DatabaseHost, str]] = [(tenant.web, tenant.web.path)]
    if tenant.database.mount:
        hosts.append((tenant.database, tenant.database.mount))
    answers = await asyncio.gather(*(_tools(settings, host, folder) for host, folder in hosts))
    return tuple(one for (host, _), tools in zip(hosts, answers, strict=True) for one in judge_tools(host, tools))


async def _tools(settings: Settings, host: WebHost | DatabaseHost, folder: str) -> HostTools:
    """What a host says; tenants that share a folder's disk by their register entry share the answer of this run."""
    now, seen = asyncio.get_running_loop().time(), _seen.get()
    key = (host.instance, host.mount or folder)
    began, task = seen.get(key, (0.0, None))
    if task is None or now - began > JUST_NOW or (task.done() and task.exception()):
        task = asyncio.ensure_future(_ask(settings, host, folder))
        seen[key] = (now, task)
    return await asyncio.shield(task)


async def _ask(settings: Settings, host: WebHost | DatabaseHost, folder: str) -> HostTools:
    with translate_script_errors(
        f"Host {host.instance} could not be asked whether it could be restored to",
        why="Nobody knows.",
        todo="Check that it runs and that its SSM agent is online.",
    ):
        outcome = await Hosts.of(settings).run(
            host.instance,
            host.platform,
            "inspect_host",
            {"FOLDER": folder},
            label=settings.run_label(f"tools {host.mount or folder}"),
            limit=SECONDS,
        )
    answer = outcome.answer()
    return HostTools(**{**answer, "missing": tuple(answer["missing"])})
