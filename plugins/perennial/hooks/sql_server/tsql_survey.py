"""T-SQL that only looks: what a database is and what ties it down, what the server takes, where it has room.

As `tsql`, whose quoting it uses: text only, and each statement is judged by Microsoft's own grammar in the tests.
Sources: learn.microsoft.com, sys.databases, sys.database_recovery_status, sys.database_mirroring, SERVERPROPERTY,
sys.dm_os_volume_stats, sys.dm_os_enumerate_fixed_drives; xp_fileexist is not documented.
"""

from __future__ import annotations

from perennial.hooks.sql_server.tsql import text


def database_identity(database: str) -> str:
    """What tells a database, and what was restored to it, from any other; no row when there is none."""
    return (
        "SELECT d.database_id, d.state_desc, CONVERT(nvarchar(30), d.create_date, 126) AS created, "
        "CONVERT(nvarchar(36), r.recovery_fork_guid) AS recovery_fork, "
        "(SELECT MAX(h.restore_history_id) FROM msdb.dbo.restorehistory AS h "
        f"WHERE h.destination_database_name = {text(database)}) AS last_restore "
        "FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id "
        f"WHERE d.name = {text(database)}"
    )


def server_limits() -> str:
    """Where the server puts the files of new databases (NULL where nobody has set it) and has those of `master`; its
    version, that of its databases' format, its edition, and which kinds of files it takes.
    """
    return (
        "SELECT CONVERT(nvarchar(260), SERVERPROPERTY('InstanceDefaultDataPath')) AS data_folder, "
        "CONVERT(nvarchar(260), SERVERPROPERTY('InstanceDefaultLogPath')) AS log_folder, "
        "(SELECT physical_name FROM sys.master_files WHERE database_id = 1 AND file_id = 1) AS master_data, "
        "(SELECT physical_name FROM sys.master_files WHERE database_id = 1 AND file_id = 2) AS master_log, "
        "CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS version, "
        "CONVERT(int, DATABASEPROPERTYEX(N'master', 'Version')) AS database_version, "
        "CONVERT(int, SERVERPROPERTY('EngineEdition')) AS edition, "
        "CONVERT(int, SERVERPROPERTY('FilestreamEffectiveLevel')) AS filestream, "
        "CONVERT(int, SERVERPROPERTY('IsXTPSupported')) AS memory_optimised"
    )


def ties(database: str) -> str:
    """What ties a database down: the snapshots that refer to it, availability group, mirroring, replication.

    One row for each snapshot, one with `snapshot` NULL where there is none; no row when there is no such database.
    """
    return (
        "SELECT s.name AS snapshot, d.is_read_only, "
        "CASE WHEN d.replica_id IS NULL THEN 0 ELSE 1 END AS in_group, "
        "CASE WHEN m.mirroring_guid IS NULL THEN 0 ELSE 1 END AS is_mirrored, "
        "CASE WHEN d.is_published = 1 OR d.is_merge_published = 1 THEN 1 ELSE 0 END AS is_published "
        "FROM sys.databases AS d LEFT JOIN sys.databases AS s ON s.source_database_id = d.database_id "
        "LEFT JOIN sys.database_mirroring AS m ON m.database_id = d.database_id "
        f"WHERE d.name = {text(database)} ORDER BY s.name"
    )


def volumes_in_use() -> str:
    """The volumes that the server has files on, and the bytes that are free there; wants VIEW SERVER STATE."""
    return (
        "SELECT DISTINCT v.volume_mount_point AS mount, v.available_bytes AS free_bytes FROM sys.master_files AS f "
        "CROSS APPLY sys.dm_os_volume_stats(f.database_id, f.file_id) AS v"
    )


def fixed_drives() -> str:
    """The drives of the server's machine (2019 and later), and the bytes that are free there."""
    return (
        "SELECT fixed_drive_path AS mount, free_space_in_bytes AS free_bytes FROM sys.dm_os_enumerate_fixed_drives "
        "WHERE drive_type_desc = N'DRIVE_FIXED'"
    )


def file_exists(path: str) -> str:
    """One row: is there such a file, such a folder, a folder that it lies in. To most logins the server denies all."""
    return f"EXEC master.sys.xp_fileexist {text(path)}"
