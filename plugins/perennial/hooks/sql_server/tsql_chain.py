"""T-SQL about chains of backups: where a database stands in its own.

As `tsql`, whose quoting it uses: text only, and each statement is judged by Microsoft's own grammar in the tests.
Sources: learn.microsoft.com, sys.database_recovery_status, sys.database_files, sys.dm_db_log_stats.
"""

from __future__ import annotations

from perennial.hooks.sql_server.tsql import name

_CHAIN = (
    "d.recovery_model_desc AS recovery_model, CONVERT(nvarchar(36), r.recovery_fork_guid) AS fork, "
    "CONVERT(nvarchar(36), r.first_recovery_fork_guid) AS first_fork, r.fork_point_lsn AS fork_lsn, "
    "r.last_log_backup_lsn AS log_lsn, CONVERT(nvarchar(36), f.differential_base_guid) AS base"
)


def log_chain(database: str) -> str:
    """The place of a database in its chain, a row for each of its data files, all with the same but for the base.

    Asked inside the database, which is left again: what its files stand on answers any of its users. How much was
    logged since the last log backup is told to logins with VIEW SERVER STATE only, and NULL to others.
    """
    source = (
        " FROM sys.databases AS d "
        "JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id "
        "CROSS JOIN sys.database_files AS f"
    )
    where = " WHERE d.database_id = DB_ID() AND f.type = 0 ORDER BY f.file_id"
    logged = " CROSS APPLY sys.dm_db_log_stats(d.database_id) AS s"
    seen = f"SELECT {_CHAIN}, s.log_since_last_log_backup_mb AS logged_mb{source}{logged}{where}"
    unseen = f"SELECT {_CHAIN}, NULL AS logged_mb{source}{where}"
    asked = f"IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1 {seen} ELSE {unseen}"
    return f"USE {name(database)}; {asked}; USE master"
