"""A database from the snapshot of its volume, made and checked before the restore overwrites anything.

What stands is not touched, so all of it is done while the site is online: that the database in the snapshot is damaged,
or that there is no room for it, is found while it hurts nobody.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.restore.record import PREPARE_DATABASE, RestoreRecord
from perennial.hooks.aws.hosts import Hosts
from perennial.hooks.sql_server.errors import translate_sql_errors
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.database_files import attach_new, copy_files, is_attached
from perennial.restore.step import RestoreStepTrigger, StepReport, server_must_answer
from perennial.restore.volumes import COPY_LABELS
from perennial.settings import Settings


class PrepareDatabaseTrigger(RestoreStepTrigger):
    """Copies the database's files from the snapshot beside the standing ones, attaches them there and checks them."""

    step: ClassVar[str] = PREPARE_DATABASE

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        record = restore.record
        if SnapshotRole.DATABASE not in record.plan.snapshots:
            return StepReport("No snapshot of the database is needed.")
        label = restore.vault.settings.run_label(record.id)
        server = SqlServer(record.plan.target.database.connection, label, restore.lease.check)
        with translate_sql_errors(
            f"The database of tenant {record.tenant} could not be made from the snapshot",
            why=f"Database {record.plan.database} was not touched.",
            server=server.conn_id,
        ):
            copied_bytes = await prepare(restore, point, server, limit=float(self.deadline))
        return StepReport(
            f"The database in the snapshot is attached, and DBCC CHECKDB found no errors ({copied_bytes:,} bytes).",
            copied_bytes,
        )

    async def stop(self, record: RestoreRecord) -> None:
        await stop_on_database_host(self.settings, record)


async def prepare(restore: LeasedRestore, point: Manifest, server: SqlServer, *, limit: float) -> int:
    """Copy the files, attach them and check them; returns how many bytes were copied.

    May be begun again after a crash at any point, and does nothing once they have become the database of the plan.

    Args:
        limit: Seconds after which the copying is ended.

    Raises:
        DamagedBackupError: when the database in the snapshot is damaged.
        PartError: when it cannot be copied or attached.
        SqlServerError: when the server does not answer.
    """
    await end_earlier_attempt(restore, server)
    copied_bytes = await copy_files(restore, point, server, limit=limit)
    pauses = restore.vault.settings.pauses
    await server.talk(lambda session: attach_new(session, restore.record, point), pauses=pauses)
    return copied_bytes


async def is_prepared(restore: LeasedRestore, point: Manifest, server: SqlServer) -> bool:
    """True when this attempt has prepared the database, and it is there still.

    Raises:
        SqlServerError: when the server does not answer.
    """
    record, pauses = restore.record, restore.vault.settings.pauses
    return record.has_done(PREPARE_DATABASE) and await server.talk(
        lambda session: is_attached(session, record, point), pauses=pauses
    )


async def end_earlier_attempt(restore: LeasedRestore, server: SqlServer) -> None:
    """An attempt whose task was cleared may still be at work; two at once would only get in each other's way."""
    with server_must_answer(restore.record.tenant, server, why="The database was not touched."):
        while await server.kill_sessions_of(server.program):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(restore.vault.settings.poll.total_seconds())


async def stop_on_database_host(settings: Settings, record: RestoreRecord) -> None:
    """End what the restore has set going on the database's server and host."""
    database = record.plan.target.database
    await SqlServer(database.connection).kill_sessions_of(settings.run_label(record.id))
    if SnapshotRole.DATABASE in record.plan.snapshots:
        label = settings.run_label(f"{record.id} {COPY_LABELS[SnapshotRole.DATABASE]}")
        await Hosts.of(settings).cancel(database.instance, label)
