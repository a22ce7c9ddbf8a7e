"""Every T-SQL statement that Perennial sends, as text, and the quoting that keeps names from becoming code.

Each of them is judged by Microsoft's own grammar in the tests. Sources: learn.microsoft.com, T-SQL reference, BACKUP,
RESTORE statements, ALTER DATABASE SET options, sp_getapplock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LOCK_PREFIX = "perennial-backup-"

MULTI_USER = "MULTI_USER"
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
    """Read a backup whole and check its checksums."""
    return f"RESTORE VERIFYONLY FROM {devices(urls)} WITH CHECKSUM"


def header(urls: Sequence[str]) -> str:
    """What a backup says of itself: one row for each backup set."""
    return f"RESTORE HEADERONLY FROM {devices(urls)}"


def file_list(urls: Sequence[str]) -> str:
    """The database files inside a backup."""
    return f"RESTORE FILELISTONLY FROM {devices(urls)}"


def restore_database(database: str, urls: Sequence[str], moves: Mapping[str, str]) -> str:
    """Restore over `database`, each logical file to the path that `moves` gives it."""
    moved = [f"MOVE {text(logical)} TO {text(path)}" for logical, path in moves.items()]
    return (
        f"RESTORE DATABASE {name(database)} FROM {devices(urls)} "
        f"WITH {', '.join([*moved, 'REPLACE', 'CHECKSUM', 'RECOVERY', 'STATS = 5'])}"
    )


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
    """Where the files of a database lie now."""
    return f"SELECT name, physical_name FROM sys.master_files WHERE database_id = DB_ID({text(database)})"


def space_used(database: str) -> str:
    """The files of a database, and how many 8 KB pages of each are in use, data and log.

    Asked inside the database: FILEPROPERTY (learn.microsoft.com, same name) answers any of its users. It knows nothing
    of FILESTREAM containers, whose `size` is what they hold.
    """
    return (
        f"USE {name(database)}; SELECT name, physical_name, type_desc, "
        "COALESCE(FILEPROPERTY(name, N'SpaceUsed'), size) AS pages FROM sys.database_files"
    )


def default_folders() -> str:
    """Where the server puts the files of new databases."""
    return (
        "SELECT CONVERT(nvarchar(260), SERVERPROPERTY('InstanceDefaultDataPath')) AS data_folder, "
        "CONVERT(nvarchar(260), SERVERPROPERTY('InstanceDefaultLogPath')) AS log_folder"
    )


def finished_backup(backup_name: str, url: str) -> str:
    """The row that SQL Server writes only for a backup that succeeded, found by its NAME and its first file."""
    return (
        "SELECT CONVERT(nvarchar(36), s.backup_set_uuid) AS backup_set_uuid, s.database_name, s.is_copy_only, "
        "CONVERT(nvarchar(30), s.first_lsn) AS first_lsn, CONVERT(nvarchar(30), s.last_lsn) AS last_lsn "
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


def kill(session_id: int) -> str:
    """End a session and roll back what it does."""
    return f"KILL {int(session_id)}"


def take_lock(resource: str) -> str:
    """Take an application lock of this server at once or not at all; `granted` is negative when it is taken."""
    return (
        "DECLARE @granted int; "
        f"EXEC @granted = sp_getapplock @Resource = {text(resource)}, @LockMode = N'Exclusive', "
        "@LockOwner = N'Session', @LockTimeout = 0; SELECT @granted AS granted"
    )
