"""What ties a database down: a snapshot of it, an availability group that it has joined.

The group has this one server in it and copies nothing: only what it forbids is here.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apsw

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import Database, open_file
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.statements import AlterAvailabilityGroup, CreateSnapshot


def create_snapshot(context: Context, statement: CreateSnapshot) -> None:
    """A copy of the source's rows under another name, read by whoever may read the source."""
    permissions.check_create(context.instance, context.session)
    databases = context.instance.databases
    with databases.lock:
        source = databases.readable(statement.source)
        if databases.find(statement.name):
            raise SqlServerError(1801, statement.name, state=3)
        file = Path(statement.file)
        if not file.parent.is_dir():
            raise SqlServerError(5133, file).then(1802)
        if file.exists():
            raise SqlServerError(5170, file).then(1802)
        blank = databases.blank(statement.name)
        with apsw.Connection(str(file)) as copy, copy.backup("main", open_file(source), "main") as work:
            work.step()
        databases.put(dataclasses.replace(blank, data_file=str(file), source_id=source.id))
    context.reply.done()


def alter_group(context: Context, statement: AlterAvailabilityGroup) -> None:
    permissions.check_admin(context.instance, context.session)
    group = statement.group if statement.add else None
    context.instance.databases.change(statement.database, availability_group=group)
    context.reply.done()


def check_in_no_group(database: Database) -> None:
    """Raises SqlServerError 1468 for a database that has joined an availability group."""
    if database.availability_group:
        raise SqlServerError(1468, database.name)
