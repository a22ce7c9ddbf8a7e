"""Asking the lab's SQL Servers: a connection that says in plain words why there is none, and what was asked so far."""

from __future__ import annotations

from collections import Counter

import pymssql

from lab.seed.shop import connect_arguments
from lab.settings import HOST, LabSettings
from lab.sqlserver.engine.work_counts import BATCHES, LOGINS

_CALLED = {LOGINS: "logins", BATCHES: "batches"}


def connect(settings: LabSettings, database: str) -> pymssql.Connection:
    """A connection in `database`, with autocommit.

    Raises:
        LookupError: it cannot be opened; the message names those that are there.
        ConnectionError: the server does not answer.
    """
    try:
        return pymssql.connect(database=database, **connect_arguments(settings))
    except pymssql.Error as error:
        if database != "master":
            with connect(settings, "master") as connection:
                states = _states(connection)
            raise LookupError(_why_not(database, states)) from error
        raise ConnectionError(
            f"The lab's SQL Server does not answer on {HOST}:{settings.sql_server_port}, so nothing was done. "
            "Start the lab: `python -m lab up`; `python -m lab status` says what runs."
        ) from error


def sql_calls(settings: LabSettings) -> dict[str, int]:
    """What all SQL Servers of the lab were asked since their start, these questions included.

    `logins` and `batches`, then each kind of statement (`sql:Backup`, `sql:Query`).
    Raises pymssql.Error where one does not answer.
    """
    sums: Counter[str] = Counter()
    for number in settings.sql_numbers:
        with pymssql.connect(database="master", **connect_arguments(settings, number)) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT counter_name, instance_name, cntr_value FROM sys.dm_os_performance_counters")
            for name, which, value in cursor.fetchall():
                sums[str(which) or _CALLED[str(name)]] += int(str(value))
    return dict(sums)


def _states(connection: pymssql.Connection) -> dict[str, str]:
    """The state of every database by its name."""
    cursor = connection.cursor()
    cursor.execute("SELECT name, state_desc FROM sys.databases ORDER BY name")
    return {str(name): str(state) for name, state in cursor.fetchall()}


def _why_not(database: str, states: dict[str, str]) -> str:
    match = next((name for name in states if name.lower() == database.lower()), None)
    if match is None:
        return f"There is no database {database!r} in this lab. It has {', '.join(states)}."
    return f"The database {match!r} cannot be opened: it is {states[match]}, or has a single user who is someone else."
