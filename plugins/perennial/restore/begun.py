"""Whether a restore has begun on its database: noted before the first change, withdrawn when the server knows of none.

Not the error decides, nor its number: the server says what the database is now, and that is held against what it said
before this restore first began on it, whichever attempt that was.
"""

from __future__ import annotations

from include.rules.restore.database_identity import is_untouched
from include.rules.restore.record import RESTORE_DATABASE
from perennial.hooks.sql_server.databases import identify
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedRestore


async def begin_on_database(restore: LeasedRestore, server: SqlServer) -> None:
    """Record that from here on the database is not, or perhaps not, what it was, and what it was.

    Raises:
        SqlServerError: when the server does not say.
    """
    name = str(restore.record.plan.database)
    before = await server.talk(lambda session: identify(session, name), pauses=restore.vault.settings.pauses)
    await restore.change(lambda record: record.beginning_on_database(before))


async def withdraw_if_untouched(restore: LeasedRestore, server: SqlServer) -> bool:
    """Take the mark back when nothing was written to the database since; True when the restore has not begun on it.

    Raises:
        SqlServerError: when the server does not say: the mark stays.
    """
    record = restore.record
    if RESTORE_DATABASE not in record.begun:
        return True
    name = str(record.plan.database)
    now = await server.talk(lambda session: identify(session, name), pauses=restore.vault.settings.pauses)
    if not is_untouched(record.database_before, now):
        return False
    await restore.change(lambda r: r.not_begun_on(RESTORE_DATABASE))
    return True
