"""Dropping a database: what a restore has half made, and what it replaces."""

from __future__ import annotations

from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.access import run_alone, try_to_run
from perennial.hooks.sql_server.databases import OFFLINE, state_of
from perennial.hooks.sql_server.session import Session


def drop_database(session: Session, database: str) -> None:
    """Drop the database and its files, if it is there, whoever is in it.

    The files of a database that cannot be brought online stay on the disk; its `survey` names them.
    """
    if state_of(session, database)[0] == OFFLINE:
        try_to_run(session, tsql.set_access(database, tsql.ONLINE))  # SQL Server keeps the files of an offline one
    run_alone(session, tsql.drop_database(database), database)
