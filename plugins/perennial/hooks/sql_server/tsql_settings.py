"""T-SQL about what lies around a database's data: its settings, its users' logins, the rights of Perennial's own.

As `tsql`, whose quoting it uses: text only, and each statement is judged by Microsoft's own grammar in the tests.
Sources: learn.microsoft.com, sys.databases, sys.dm_database_encryption_keys, ALTER DATABASE SET options, ALTER
AUTHORIZATION, HAS_PERMS_BY_NAME, and the permissions of each statement on its page.
"""

from __future__ import annotations

from collections.abc import Mapping

from perennial.hooks.sql_server.tsql import name, text

_SETTINGS = (
    "@@SERVERNAME AS server_name, d.owner_sid, SUSER_SNAME(d.owner_sid) AS owner_name, d.is_broker_enabled, "
    "d.is_honor_broker_priority_on, d.is_trustworthy_on, d.is_db_chaining_on, d.is_cdc_enabled, d.is_published, "
    "d.is_merge_published, d.is_subscribed, d.is_distributor, d.is_master_key_encrypted_by_server, "
    "d.is_temporal_history_retention_enabled, d.compatibility_level, d.recovery_model_desc, d.containment_desc, "
    "d.is_encrypted"
)
_KEY = "k.encryptor_thumbprint, k.encryptor_type, c.name AS certificate, c.pvt_key_last_backup_date AS key_backed_up_at"
_KEY_UNSEEN = "NULL AS encryptor_thumbprint, NULL AS encryptor_type, NULL AS certificate, NULL AS key_backed_up_at"
_KEY_OF = (
    " LEFT JOIN sys.dm_database_encryption_keys AS k ON k.database_id = d.database_id "
    "LEFT JOIN master.sys.certificates AS c ON c.thumbprint = k.encryptor_thumbprint"
)


def _with_key(columns: str, source: str, rest: str = "") -> str:
    """A SELECT of the columns, the settings and the encryption key; of the key only what the login may see.

    Who may not see the keys is refused the whole statement, so that it is asked first.
    """
    seen = f"SELECT {columns}, {_SETTINGS}, {_KEY} FROM {source}{_KEY_OF}{rest}"
    unseen = f"SELECT {columns}, {_SETTINGS}, {_KEY_UNSEEN} FROM {source}{rest}"
    return f"IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1 {seen} ELSE {unseen}"


def space_and_settings(database: str) -> str:
    """The files of a database, how many 8 KB pages of each are in use, data and log; with each, the settings.

    Asked inside the database, which is left again: FILEPROPERTY (learn.microsoft.com, same name) answers any of its
    users. It knows nothing of FILESTREAM containers, whose `size` is what they hold.
    """
    used = "COALESCE(FILEPROPERTY(f.name, N'SpaceUsed'), f.size) AS pages"
    files = f"f.name, f.physical_name, f.type_desc, f.size, {used}"
    source = "sys.database_files AS f CROSS JOIN sys.databases AS d"
    asked = _with_key(files, source, " WHERE d.database_id = DB_ID() ORDER BY f.file_id")
    return f"USE {name(database)}; {asked}; USE master"


def settings_and_server(database: str, thumbprint: str) -> str:
    """One row: what the server is and lets the login do, and the settings of a database; NULL when there is none.

    Args:
        thumbprint: Of what a backup is encrypted by, in hexadecimal, to ask whether the server has it; may be empty.
    """
    same = f"WHERE thumbprint = 0x{thumbprint}" if thumbprint else "WHERE 1 = 0"
    server = (
        "CONVERT(nvarchar(128), SERVERPROPERTY('Edition')) AS edition, SUSER_SNAME() AS login_name, "
        "HAS_PERMS_BY_NAME(NULL, NULL, N'CONTROL SERVER') AS controls_server, "
        "HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION') AS sees_definitions, "
        f"(SELECT COUNT(*) FROM master.sys.certificates {same}) AS certificates, "
        f"(SELECT COUNT(*) FROM master.sys.asymmetric_keys {same}) AS asymmetric_keys, "
        "(SELECT CONVERT(int, value_in_use) FROM sys.configurations "
        "WHERE name = N'contained database authentication') AS takes_contained, d.name AS found"
    )
    return _with_key(server, f"(SELECT 1 AS one) AS s LEFT JOIN sys.databases AS d ON d.name = {text(database)}")


def set_broker(database: str, *, new: bool) -> str:
    """Switch Service Broker on, with the id that it had or, beside a database of that id, with a new one.

    It has to have the database to itself: whoever is in it is put out.
    """
    return f"ALTER DATABASE {name(database)} SET {'NEW' if new else 'ENABLE'}_BROKER WITH ROLLBACK IMMEDIATE"


def switch_on(database: str, option: str) -> str:
    """Switch on an option of ALTER DATABASE: TRUSTWORTHY, DB_CHAINING and the like."""
    return f"ALTER DATABASE {name(database)} SET {option} ON"


def set_value(database: str, option: str) -> str:
    """Give an option of ALTER DATABASE its value: `RECOVERY FULL`, `COMPATIBILITY_LEVEL = 160`."""
    return f"ALTER DATABASE {name(database)} SET {option}"


def change_owner(database: str, login: str) -> str:
    """Make a login the owner of a database."""
    return f"ALTER AUTHORIZATION ON DATABASE::{name(database)} TO {name(login)}"


def enable_cdc(database: str) -> str:
    """Switch change data capture on; its tables have to be enabled one by one after that."""
    return f"USE {name(database)}; EXEC sys.sp_cdc_enable_db"


def add_cdc_jobs(database: str) -> str:
    """Make the jobs that change data capture works by; no restore brings them."""
    return f"USE {name(database)}; EXEC sys.sp_cdc_add_job N'capture'; EXEC sys.sp_cdc_add_job N'cleanup'"


def open_master_key(database: str) -> str:
    """Let the server open a database's master key again; its password is the reader's to fill in."""
    return (
        f"USE {name(database)}; OPEN MASTER KEY DECRYPTION BY PASSWORD = N'<its password>'; "
        "ALTER MASTER KEY ADD ENCRYPTION BY SERVICE MASTER KEY"
    )


def rights(questions: Mapping[str, str], database: str) -> str:
    """One row with an answer of 1, 0 or NULL to each of the questions, by name, and the state of the database.

    Args:
        questions: Expressions by the name of their column; `{name}` in them stands for the database's name as text,
            `{quoted}` for its quoted one as text.
    """
    answers = ", ".join(
        f"{question.format(name=text(database), quoted=text(name(database)))} AS {name(column)}"
        for column, question in questions.items()
    )
    state = f"(SELECT state_desc FROM sys.databases WHERE name = {text(database)})"
    return f"SELECT {answers}, {state} AS state_desc"
