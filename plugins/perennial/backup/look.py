"""The look before a snapshot: is the volume that the register names the one that the tenant's host works on?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from include.rules.errors import PartError, PerennialError, RefusedError, UnavailableError
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.points.requests import Kind
from include.rules.register.findings import Finding, Weight, of_weight
from include.rules.register.grounds import Grounds
from include.rules.register.host_facts import HostFacts
from include.rules.register.tenants import DatabaseHost, Tenant, WebHost
from include.rules.register.volumes import (
    folder_on_volume,
    folders_to_look_at,
    judge_database_volume,
    judge_web_volume,
)
from perennial.hooks.aws.host_look import FRESH_SECONDS, HostLook, Question
from perennial.hooks.freshness import Freshness
from perennial.hooks.register import find_register
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server_files import files_of, files_of_all, remembered_files, remembered_silence
from perennial.settings import Settings


@dataclass(frozen=True)
class Look:
    """What was seen of one volume; `folder` as in VolumeLook."""

    findings: tuple[Finding, ...]
    folder: str = ""


async def look_before_snapshot(
    settings: Settings, manifest: Manifest, role: SnapshotRole, *, anew: bool = False
) -> VolumeLook:
    """Look at a volume of which a snapshot is about to be taken.

    Tenants of a host share what was seen there in the last five minutes. Not so a safety point: its site went offline a
    moment ago, and whatever is mounted now is about to be overwritten; one command more is cheap beside that. Nor one
    that somebody asks for by hand: right after a deployment, as a rule, which has led a link elsewhere. That the host
    has said nothing they share in the night, where each would wait for the same; whoever has started a backup by
    hand, or a failed one again, may have mended that just now.

    Args:
        anew: Whether nothing that was seen before counts: a restore may have changed it since.

    Raises:
        PartError: when something is not as the register says, at a second look, too.
        RefusedError: when a safety point's volume could not be looked at.
    """
    is_safety, is_anew = manifest.kind is Kind.SAFETY, anew or manifest.kind in (Kind.SAFETY, Kind.MANUAL)
    shares_silence = manifest.kind is Kind.DAILY and manifest.attempt == 1
    fresh = Freshness.within(0 if is_anew else FRESH_SECONDS, silence=shares_silence)
    seen = await look_and_confirm(settings, manifest.source, role, fresh, is_overwritten=is_safety)
    look = VolumeLook.of(seen.findings, datetime.now(UTC), seen.folder)
    if differences := of_weight(Weight.DIFFERENCE, seen.findings):
        raise PartError(
            f"Volume {manifest.volume_of(role)} of tenant {manifest.tenant} was not snapshotted: "
            f"{'; '.join(one.text for one in differences)}.",
            why=f"The {role.value} of recovery point {manifest.id} would hold something else than the tenant works on.",
            todo=" ".join(dict.fromkeys(one.todo for one in differences)),
        )
    if is_safety and look.not_looked_at:
        raise RefusedError(
            f"Volume {manifest.volume_of(role)} of tenant {manifest.tenant} could not be looked at: "
            f"{look.not_looked_at}.",
            why="Nobody knows whether a snapshot of it would be a way back, so nothing was overwritten.",
            todo="Mend that, then clear the task `open` of this run.",
        )
    return look


async def look_and_confirm(
    settings: Settings,
    tenant: Tenant,
    role: SnapshotRole,
    fresh: Freshness,
    *,
    is_overwritten: bool = False,
) -> Look:
    """What a look finds, as `look_at_volume`; a difference is looked at again before it counts.

    A disk may just be moving, and the first look may be minutes old.
    """
    look = await look_at_volume(settings, tenant, role, fresh, is_overwritten=is_overwritten)
    if not of_weight(Weight.DIFFERENCE, look.findings):
        return look
    await asyncio.sleep(settings.poll.total_seconds())
    return await look_at_volume(settings, tenant, role, Freshness.within(0), is_overwritten=is_overwritten)


async def look_at_volume(
    settings: Settings,
    tenant: Tenant,
    role: SnapshotRole,
    fresh: Freshness,
    *,
    is_overwritten: bool = False,
) -> Look:
    """What a look at one of a tenant's volumes finds; nothing is changed.

    Args:
        is_overwritten: Whether a restore is about to overwrite it, so that there is nothing to lose in a folder that is
            missing or empty.
    """
    try:
        if role is SnapshotRole.WEB:
            seen = await _look_at_host(settings, tenant.web, (), fresh)
            grounds = await grounds_on(settings, tenant.web.volume)
            return _look_at_site(tenant, seen, grounds, may_be_missing=is_overwritten)
        all_files, silent = await _files_of(settings, tenant.database, fresh)
        files = files_of(all_files, tenant.database.name)
        seen = await _look_at_host(settings, tenant.database, files, fresh, all_files)
        return Look(judge_database_volume(tenant.database, seen, files, silent=silent))
    except PerennialError as error:
        return _nothing_seen(error)


def look_from_memory(
    settings: Settings, tenant: Tenant, role: SnapshotRole, grounds: Grounds | None, *, since: float
) -> Look | None:
    """What a look at a tenant's volume would find, where all of it was seen since then, or nobody has said anything;
    None where neither is so.

    Args:
        grounds: Whose the volume's folders are; None where nobody knows.
    """
    host, files, silent = host_of(tenant, role), tuple[str, ...](), ""
    if role is SnapshotRole.DATABASE:
        server = tenant.database.connection
        files = files_of(remembered_files(server, since=since), tenant.database.name)
        silent = "" if files else remembered_silence(server, since=since)
    question = Question(folders_to_look_at(host, files), frozenset({host.volume}))
    try:
        seen = _host_look(settings, host).remembered(question, since=since)
    except UnavailableError as error:
        return _nothing_seen(error)
    if seen is None:
        return None
    if role is SnapshotRole.WEB:
        return _look_at_site(tenant, seen, grounds)
    if not (files or silent or seen.silent):
        return None
    return Look(judge_database_volume(tenant.database, seen, files, silent=silent))


async def grounds_on(settings: Settings, volume: str) -> Grounds | None:
    """Whose the folders of a web volume are; None where the register does not say."""
    try:
        register = await find_register(settings, fresh=False)
    except PerennialError:
        return None  # a register that is being written keeps nobody from a backup
    return register.grounds.get(volume) if register else None


def _look_at_site(tenant: Tenant, seen: HostFacts, grounds: Grounds | None, *, may_be_missing: bool = False) -> Look:
    folder = folder_on_volume(tenant.web, seen)
    neighbour = grounds.neighbour(tenant, folder) if grounds and folder else ""
    allowed = tenant.plan.allow_empty_folder
    found = judge_web_volume(tenant.web, seen, neighbour=neighbour, may_be_empty=allowed, may_be_missing=may_be_missing)
    return Look(found, folder)


def _nothing_seen(error: PerennialError) -> Look:
    return Look((Finding(Weight.NOT_LOOKED_AT, error.what.rstrip("."), todo=error.todo),))


async def _files_of(
    settings: Settings, database: DatabaseHost, fresh: Freshness
) -> tuple[Mapping[str, tuple[str, ...]], str]:
    """Paths of the files of all databases of the server, and why it does not name them."""
    try:
        found = await files_of_all(database.connection, fresh, pauses=settings.pauses)
        if not files_of(found, database.name):  # it may be younger than the answer
            found = await files_of_all(database.connection, Freshness.within(0), pauses=settings.pauses)
    except SqlServerError as error:
        return {}, str(error).rstrip(".")
    return found, ""


async def _look_at_host(
    settings: Settings,
    host: WebHost | DatabaseHost,
    files: tuple[str, ...],
    fresh: Freshness,
    all_files: Mapping[str, tuple[str, ...]] | None = None,
) -> HostFacts:
    async def neighbours() -> Question:
        """What the register knows of the host, and with a database the folders of the other ones of its server."""
        try:
            register = await find_register(settings, fresh=False)
        except PerennialError:
            return Question()  # a register that is being written keeps nobody from looking
        folders, volumes = set[str](), set[str]()
        for one in (half for tenant in (register.tenants.values() if register else ()) for half in tenant.hosts):
            if (one.instance, one.platform) == (host.instance, host.platform):
                folders |= folders_to_look_at(one, _known_files(one, host, all_files or {}))
                volumes.add(one.volume)
        return Question(frozenset(folders), frozenset(volumes))

    question = Question(folders_to_look_at(host, files), frozenset({host.volume}))
    return await _host_look(settings, host, neighbours).facts(question, fresh)


def _known_files(
    one: WebHost | DatabaseHost, host: WebHost | DatabaseHost, all_files: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The files of a neighbour's database, where it is on the server of which all files are known."""
    if isinstance(one, DatabaseHost) and isinstance(host, DatabaseHost) and one.connection == host.connection:
        return files_of(all_files, one.name)
    return ()


async def _nobody() -> Question:
    return Question()


def _host_look(
    settings: Settings, host: WebHost | DatabaseHost, neighbours: Callable[[], Awaitable[Question]] = _nobody
) -> HostLook:
    return HostLook(settings, host.instance, host.platform, neighbours)
