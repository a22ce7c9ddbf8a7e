"""Where a database stands in its chain of backups, asked of its server."""

from __future__ import annotations

from include.rules.backup.hourly import LogChain, RecoveryModel
from include.rules.errors import PartError
from perennial.hooks.sql_server import tsql_chain
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Row


async def log_chain(server: SqlServer, tenant: str, database: str) -> LogChain:
    """Ask the server, in one statement.

    Raises:
        SqlServerError: 911 when there is no such database, 916 when the login has no user in it.
        PartError: when the server says nothing of its recovery: it is not open.
    """
    rows = await server.run(tsql_chain.log_chain(database))
    if not rows or rows[0]["fork"] is None:
        raise PartError(
            f"Nobody knows where database {database} of tenant {tenant} stands in its chain of backups: the server "
            "says nothing of its recovery.",
            why="Its log was not backed up.",
            todo="Bring the database ONLINE, then clear the task `open` of this run.",
        )
    return _chain_of(rows)


def _chain_of(rows: list[Row]) -> LogChain:
    """The chain of these files, a row for each, which all say the same of the database."""
    first, log_lsn = rows[0], _lsn(rows[0]["log_lsn"])
    fork_lsn, fork = _lsn(first["fork_lsn"]), _guid(first["fork"])
    left = _guid(first["first_fork"])
    # What a later log backup has passed is left no more; the view is not said to forget it.
    has_left = left not in ("", fork) and fork_lsn is not None and log_lsn is not None and fork_lsn >= log_lsn
    bases = {_guid(row["base"]) for row in rows}
    return LogChain(
        RecoveryModel(first["recovery_model"]),
        fork,
        log_lsn,
        left_fork=left if has_left else "",
        fork_lsn=fork_lsn or 0 if has_left else 0,
        base=bases.pop() if len(bases) == 1 else "",
        has_news=first["logged_mb"] is None or first["logged_mb"] > 0,
    )


def _lsn(value: object) -> int | None:
    return None if value is None else int(str(value))


def _guid(value: object) -> str:
    return "" if value is None else str(value).lower()
