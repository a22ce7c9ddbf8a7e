"""All that a preview asks a server about one database, in one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.rules.restore.database_survey import BackedUpFile, BackupFacts, DatabaseTies, Need
from perennial.hooks.sql_server import databases, tsql, tsql_survey
from perennial.hooks.sql_server.needs import lacking
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Row, Session
from perennial.hooks.sql_server.volumes import free_bytes, gone_folders


@dataclass(frozen=True)
class Findings:
    """What a server says of a database and of itself; the fields of a DatabaseSurvey."""

    facts: databases.DatabaseFacts
    ties: DatabaseTies
    lacks: Mapping[Need, str]
    free_bytes: Mapping[str, int] | None
    gone: frozenset[str]


def look_at(session: Session, database: str) -> Findings:
    """Ask the server all that decides whether `database` can be restored; nothing is changed."""
    facts = databases.survey(session, database)
    return Findings(
        facts=facts,
        ties=ties_of(session, database),
        lacks=lacking(session, database),
        free_bytes=free_bytes(session),
        gone=gone_folders(session, facts.folders, known=facts.limits.folders[-1].data),
    )


def ties_of(session: Session, database: str) -> DatabaseTies:
    """What ties the database down; nothing where there is none of that name."""
    rows = session.run(tsql_survey.ties(database))
    if not rows:
        return DatabaseTies()
    return DatabaseTies(
        snapshots=tuple(str(row["snapshot"]) for row in rows if row["snapshot"] is not None),
        in_group=bool(rows[0]["in_group"]),
        is_mirrored=bool(rows[0]["is_mirrored"]),
        is_published=bool(rows[0]["is_published"]),
        is_read_only=bool(rows[0]["is_read_only"]),
    )


async def backup_files(server: SqlServer, urls: list[str], pauses: tuple[float, ...]) -> tuple[BackedUpFile, ...]:
    """The database files inside a backup that the server can read.

    Raises:
        SqlServerError: when it cannot.
    """
    rows = await server.run(tsql.file_list(urls), pauses=pauses)
    return tuple(
        BackedUpFile(str(row["LogicalName"]), str(row["PhysicalName"]), str(row["Type"]), int(row["Size"]))
        for row in rows
    )


def versions_of(header: Row) -> BackupFacts:
    """Which server made a backup, and the version of its database's format."""
    parts = ("SoftwareVersionMajor", "SoftwareVersionMinor", "SoftwareVersionBuild")
    return BackupFacts(
        version=".".join(str(header[part]) for part in parts), database_version=int(header["DatabaseVersion"] or 0)
    )
