"""Every T-SQL statement that Perennial sends, as text, and the quoting that keeps names from becoming code.

Each of them is judged by Microsoft's own grammar in the tests. Sources: learn.microsoft.com, T-SQL reference, BACKUP,
RESTORE statements, CREATE and ALTER DATABASE, sp_getapplock, sys.database_principals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LOCK_PREFIX = "perennial-backup-"
RESTORE_LOCK_PREFIX = "perennial-restore-"

MULTI_USER = "MULTI_USER"
SINGLE_USER = "SINGLE_USER WITH ROLLBACK IMMEDIATE"
OFFLINE = "OFFLINE WITH ROLLBACK IMMEDIATE"
ONLINE = "ONLINE"


def name(identifier: str) -> str:
    """Quote an identifier: `a]b` becomes `[a]]b]`."""
    return f"[{identifier.replace(']', ']]')}]"


def text(value: str) -> str:
    """Quote a string: `o'b` becomes `N'o''b'`."""
    return f"N'{value.replace(chr(39), chr(39) * 2)}'"


def devices(urls: Sequence[str]) -> str:
    """The files of one backup; the order of its stripes does not matter."""
    return ", ".join(f"URL = {text(url)}" for url in urls)


def backup_database(database: str, urls: Sequence[str], backup_name: str, *, copy_only: bool) -> str:
    """A full backup of `database` to URLs that were never used before, in equal stripes.

    COPY_ONLY keeps backups out of turn (manual, safety) from becoming the base of somebody's differential backups.
    """
    options = [
        f"NAME = {text(backup_name)}",
        "CHECKSUM",
        "COMPRESSION",
        *(["COPY_ONLY"] if copy_only else []),
        "STATS = 5",
    ]
    return f"BACKUP DATABASE {name(database)} TO {devices(urls)} WITH {', '.join(options)}"


def verify(urls: Sequence[str]) -> str:
    """Read a backup whole, from all its files, and check its checksums."""
    return f"RESTORE VERIFYONLY FROM {devices(urls)} WITH CHECKSUM"


def header(urls: Sequence[str]) -> str:
    """What a backup says of itself: one row for each backup set."""
    return f"RESTORE HEADERONLY FROM {devices(urls)}"


def file_list(urls: Sequence[str]) -> str:
    """The database files inside a backup."""
    return f"RESTORE FILELISTONLY FROM {devices(urls)}"


def restore_database(
    database: str, urls: Sequence[str], moves: Mapping[str, str], *, replace: bool, keep_cdc: bool = False
) -> str:
    """Restore a backup as `database`, each logical file to the path that `moves` gives it.

    Args:
        replace: True where a database of that name is there and is to be overwritten, whatever it is.
        keep_cdc: True to keep change data capture, which is lost on another server or under another name.
    """
    moved = [f"MOVE {text(logical)} TO {text(path)}" for logical, path in moves.items()]
    flags = [flag for flag, is_set in {"REPLACE": replace, "KEEP_CDC": keep_cdc}.items() if is_set]
    options = [*moved, *flags, "CHECKSUM", "RECOVERY", "STATS = 5"]
    return f"RESTORE DATABASE {name(database)} FROM {devices(urls)} WITH {', '.join(options)}"


def attach_database(database: str, files: Sequence[str]) -> str:
    """Make a database of files that are there already, the primary one first; the server recovers what was open."""
    file_names = ", ".join(f"(FILENAME = {text(file)})" for file in files)
    return f"CREATE DATABASE {name(database)} ON {file_names} FOR ATTACH"


def rename_database(database: str, new_name: str) -> str:
    """Give a database that nobody is in another name; its files keep theirs."""
    return f"ALTER DATABASE {name(database)} MODIFY NAME = {name(new_name)}"


def drop_database(database: str) -> str:
    """Drop a database, if it is there, with whoever is in it.

    In one batch, so that nobody has the time to come in between. The files of an offline database stay on the disk.
    """
    online = f"SELECT 1 FROM sys.databases WHERE name = {text(database)} AND state_desc = N'ONLINE'"
    return f"IF EXISTS ({online}) {set_access(database, SINGLE_USER)}; DROP DATABASE IF EXISTS {name(database)}"


def set_access(database: str, access: str) -> str:
    """Let users in (ONLINE, MULTI_USER) or put them out (OFFLINE), rolling back what they had open."""
    return f"ALTER DATABASE {name(database)} SET {access}"


def check_database(database: str) -> str:
    """Check the structure of every page of a database."""
    return f"DBCC CHECKDB ({text(database)}) WITH NO_INFOMSGS, ALL_ERRORMSGS"


def database_state(database: str) -> str:
    """State of a database; no row when there is none."""
    return f"SELECT state_desc, user_access_desc FROM sys.databases WHERE name = {text(database)}"


def database_files(database: str) -> str:
    """Where the files of a database lie, what they hold, and their sizes in pages of 8 KiB; the primary one first."""
    return (
        "SELECT name, physical_name, type_desc, size FROM sys.master_files "
        f"WHERE database_id = DB_ID({text(database)}) ORDER BY file_id"
    )


def files_of_all() -> str:
    """Where the files of each database lie."""
    return (
        "SELECT DB_NAME(database_id) AS database_name, physical_name FROM sys.master_files "
        "ORDER BY database_id, file_id"
    )


def files_of_others(database: str) -> str:
    """Where the files of all other databases lie."""
    return f"SELECT physical_name FROM sys.master_files WHERE database_id <> COALESCE(DB_ID({text(database)}), 0)"


def finished_backup(backup_name: str, url: str) -> str:
    """The row that SQL Server writes only for a backup that succeeded, found by its NAME and its first file.

    Its times are the server's local ones; `time_zone` says how far they were from UTC, in quarters of an hour, and
    `offset_minutes` how far the server's clock is now.
    """
    return (
        "SELECT CONVERT(nvarchar(36), s.backup_set_uuid) AS backup_set_uuid, s.database_name, s.is_copy_only, "
        "CONVERT(nvarchar(30), s.first_lsn) AS first_lsn, CONVERT(nvarchar(30), s.last_lsn) AS last_lsn, "
        "s.backup_finish_date, s.time_zone, "
        "DATEDIFF(minute, SYSUTCDATETIME(), SYSDATETIME()) AS offset_minutes "
        "FROM msdb.dbo.backupset AS s "
        "JOIN msdb.dbo.backupmediafamily AS f ON f.media_set_id = s.media_set_id "
        f"WHERE s.name = {text(backup_name)} AND f.physical_device_name = {text(url)} "
        "ORDER BY s.backup_set_id DESC"
    )


def running_sessions(program: str) -> str:
    """Sessions whose client called itself `program`, with the progress of what they run (percent)."""
    return (
        "SELECT s.session_id, r.percent_complete FROM sys.dm_exec_sessions AS s "
        "LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = s.session_id "
        f"WHERE s.program_name = {text(program)} AND s.session_id <> @@SPID"
    )


def sessions_inside(database: str) -> str:
    """Other sessions that have `database` as their current one."""
    return (
        "SELECT session_id FROM sys.dm_exec_sessions "
        f"WHERE database_id = DB_ID({text(database)}) AND is_user_process = 1 AND session_id <> @@SPID"
    )


def kill(session_id: int) -> str:
    """End a session and roll back what it does."""
    return f"KILL {int(session_id)}"


def take_lock(resource: str, *, seconds: int = 0) -> str:
    """Take an application lock of this server, waiting at most `seconds`; `granted` is negative when it is taken."""
    return (
        "DECLARE @granted int; "
        f"EXEC @granted = sp_getapplock @Resource = {text(resource)}, @LockMode = N'Exclusive', "
        f"@LockOwner = N'Session', @LockTimeout = {int(seconds) * 1000}; SELECT @granted AS granted"
    )


def orphaned_users(database: str) -> str:
    """Users that sign in by a login of the server, by a `sid` that no login has (principals up to 4 are built in).

    Source: learn.microsoft.com, "Troubleshoot orphaned users".
    """
    return (
        f"SELECT u.name, u.sid FROM {name(database)}.sys.database_principals AS u "
        "WHERE u.type = 'S' AND u.authentication_type_desc = N'INSTANCE' AND u.principal_id > 4 "
        "AND NOT EXISTS (SELECT 1 FROM sys.server_principals AS l WHERE l.sid = u.sid) ORDER BY u.name"
    )


def logins() -> str:
    """The server's logins with a password."""
    return "SELECT name FROM sys.server_principals WHERE type = 'S'"


def map_user(database: str, user: str, login: str) -> str:
    """Let a login sign in as a user that is there already."""
    return f"USE {name(database)}; ALTER USER {name(user)} WITH LOGIN = {name(login)}"


def create_login(login: str, sid: bytes) -> str:
    """Make a login that is at once the one of all users with that `sid`; its password is for the reader to choose."""
    return f"CREATE LOGIN {name(login)} WITH PASSWORD = N'<choose one>', SID = 0x{sid.hex().upper()}"
