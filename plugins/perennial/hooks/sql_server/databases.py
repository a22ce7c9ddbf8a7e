"""One database of a server as a restore sees it: what is there, and whether it is sound.

Each function is a conversation, or a part of one, over one `Session` that is in `master`, as are those of
`access`, `restore` and `attach`. All may be begun again after the connection was lost at any point.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from include.rules.errors import DamagedBackupError, PartError
from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.register.paths import folder_of
from include.rules.restore.database_identity import DatabaseIdentity
from include.rules.restore.database_places import Folders
from include.rules.restore.database_survey import ServerLimits
from perennial.hooks.sql_server import tsql, tsql_survey
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Row, Session

ONLINE, OFFLINE, EMERGENCY, MULTI_USER = "ONLINE", "OFFLINE", "EMERGENCY", "MULTI_USER"
"""States and accesses as sys.databases names them."""

PAGE_BYTES = 8192


@dataclass(frozen=True)
class DatabaseFacts:
    """What a server says of a database.

    Attributes:
        state: ONLINE, RESTORING, SUSPECT and so on (sys.databases, state_desc); empty when there is no such database.
        access: MULTI_USER, RESTRICTED_USER or SINGLE_USER; empty when there is no such database.
        size_bytes: Size of its files, the log included.
        described: Its files, the primary one first.
        limits: What the server takes, and where it puts the files of new databases.
    """

    state: str = ""
    access: str = ""
    size_bytes: int = 0
    described: tuple[DatabaseFile, ...] = ()
    limits: ServerLimits = field(default_factory=ServerLimits)

    @property
    def files(self) -> dict[str, str]:
        """Physical path by logical name."""
        return {file.logical_name: file.physical_path for file in self.described}

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder that its files lie in, and those that new ones may go to."""
        return (*(folder_of(path) for path in self.files.values()), *self.limits.all_folders)

    def is_made_of(self, files: Iterable[str]) -> bool:
        """True when these physical paths, and no others, are the database's."""
        return {path.casefold() for path in self.files.values()} == {path.casefold() for path in files}


def database_file(row: Row) -> DatabaseFile:
    """A file of a database from a row with name, physical_name, type_desc and size (in pages)."""
    return DatabaseFile(
        logical_name=row["name"],
        physical_path=row["physical_name"],
        type=FileType(row["type_desc"].lower()),
        size_bytes=int(row["size"]) * PAGE_BYTES,
    )


def survey(session: Session, database: str) -> DatabaseFacts:
    """Ask the server what it knows of `database`; nothing is changed."""
    state, access = state_of(session, database)
    files = session.run(tsql.database_files(database))
    return DatabaseFacts(
        state=state,
        access=access,
        size_bytes=sum(int(row["size"]) for row in files) * PAGE_BYTES,
        described=tuple(database_file(row) for row in files),
        limits=server_limits(session),
    )


def server_limits(session: Session) -> ServerLimits:
    """What the server takes, and where it puts the files of new databases."""
    (row,) = session.run(tsql_survey.server_limits())
    own = Folders(*(folder_of(str(row[key])) for key in ("master_data", "master_log")))
    # Where nobody has set a folder for new databases, they lie beside the server's own.
    default = Folders(str(row["data_folder"] or own.data), str(row["log_folder"] or own.log))
    return ServerLimits(
        folders=(default, own),
        version=str(row["version"] or ""),
        database_version=int(row["database_version"] or 0),
        edition=int(row["edition"] or 0),
        takes_filestream=bool(row["filestream"]),
        takes_memory_optimised=bool(row["memory_optimised"]),
    )


def state_of(session: Session, database: str) -> tuple[str, str]:
    """State and user access, for instance ONLINE and MULTI_USER; empty when there is no such database."""
    rows = session.run(tsql.database_state(database))
    return (str(rows[0]["state_desc"]), str(rows[0]["user_access_desc"])) if rows else ("", "")


def identify(session: Session, database: str) -> DatabaseIdentity:
    """What tells the database, and what was restored to it, from any other."""
    rows = session.run(tsql_survey.database_identity(database))
    if not rows:
        return DatabaseIdentity()
    return DatabaseIdentity(
        state=str(rows[0]["state_desc"]),
        number=int(rows[0]["database_id"]),
        created=str(rows[0]["created"]),
        recovery_fork=str(rows[0]["recovery_fork"] or ""),
        last_restore=int(rows[0]["last_restore"] or 0),
    )


def check(session: Session, database: str) -> None:
    """Check that the database is online, open to its users, and that DBCC CHECKDB finds it clean.

    Raises:
        DamagedBackupError: when CHECKDB finds errors in it.
        PartError: when it is not online and open, or cannot be checked.
    """
    state = state_of(session, database)
    if state != (ONLINE, MULTI_USER):
        raise PartError(
            f"Database {database} is {' '.join(state).strip() or 'not there'}.",
            why="Its users cannot work with it.",
            todo="See SQL Server's error log for the reason, then repeat the restore.",
        )
    try:
        session.run(tsql.check_database(database))
    except SqlServerError as error:
        raise refusal_error(
            error,
            f"Database {database} did not pass its check: {error}",
            why="It is open to its users, and it may be damaged.",
            todo="Restore an older recovery point, or the snapshot instead of the backup file.",
        ) from error


def refusal_error(error: SqlServerError, what: str, *, why: str, todo: str) -> PartError | SqlServerError:
    """The error to raise for what SQL Server has refused.

    A lost connection stays what it is, because the conversation may be begun again. Damage becomes a
    DamagedBackupError: the server and the request are in order, and another source may do.
    """
    if error.lost_connection:
        return error
    kind = DamagedBackupError if error.is_damage or error.is_corruption else PartError
    return kind(what, why=why, todo=todo)
