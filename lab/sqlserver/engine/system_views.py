"""The sys views, computed anew for each statement that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import apsw

from lab.sqlserver.engine import permissions, security_views
from lab.sqlserver.engine.databases import LSN_STEP, PAGE_SIZE, Database
from lab.sqlserver.engine.file_space import pages_of
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.performance_views import PERFORMANCE_VIEWS
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.user_tables import user_tables
from lab.sqlserver.engine.view import Row, View
from lab.sqlserver.engine.volumes import VOLUME_VIEWS
from lab.sqlserver.translation.names import schema_and_name

_STATES = {"ONLINE": 0, "RESTORING": 1, "OFFLINE": 6}
_ACCESS = {"MULTI_USER": 0, "SINGLE_USER": 1}
_MODELS = {"FULL": 1, "BULK_LOGGED": 2, "SIMPLE": 3}


def _databases(instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for database in instance.databases.all():
        yield (
            database.name, database.id, database.created, database.compatibility_level, "SQL_Latin1_General_CP1_CI_AS",
            _ACCESS[database.user_access], database.user_access, 0, _STATES[database.state], database.state,
            _MODELS[database.recovery_model], database.recovery_model, bytes.fromhex(database.owner_sid),
            database.source_id, _replica_id(database), int(database.broker_enabled), database.broker_guid,
            int(database.trustworthy), int(database.db_chaining), int(database.cdc), int(database.encrypted), 0, 0,
            0, 0, 0, 0, 0, "NONE", 1,
        )  # fmt: skip


def _sysdatabases(instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for database in instance.databases.all():
        yield database.name, database.id, database.created, 160, database.data_file


def _master_files(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for database in instance.databases.all() if permissions.sees_files(instance, session) else ():
        state = _STATES[database.state], database.state
        chain = database.base_lsn or None, database.base_guid, database.redo_lsn or None
        yield database.id, 1, 0, "ROWS", database.data_name, *_file(database.data_file), *state, *chain
        yield database.id, 2, 1, "LOG", database.log_name, *_file(database.log_file), *state, None, None, None


def _file(path: str) -> tuple[str, int]:
    """A file's path and its size in pages, 0 where it is missing."""
    file = Path(path)
    return path, -(-file.stat().st_size // PAGE_SIZE) if file.is_file() else 0


def _database_files(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    database = instance.databases.get(session.database)
    pages, state = pages_of(database), (_STATES[database.state], database.state)
    base = database.base_lsn or None, database.base_guid
    yield 1, 0, "ROWS", database.data_name, database.data_file, *state, pages[database.data_name], *base
    yield 2, 1, "LOG", database.log_name, database.log_file, *state, pages[database.log_name], None, None


def _recovery_status(instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for database in instance.databases.all():
        is_open = database.state == "ONLINE"  # of any other the server says nothing
        if not is_open:
            yield database.id, None, database.log_lsn or None, None, None, None
            continue
        fork, left = database.recovery_fork, database.log_fork
        point = database.fork_lsn if left else None
        yield database.id, database.family_guid, database.log_lsn or None, fork, left or fork, point


def _log_stats(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    """What has been logged since the last log backup, full backups among it; a byte for each step of the LSN."""
    permissions.check_sees_server(instance, session)
    for database in instance.databases.all():
        if database.state == "ONLINE":
            logged = max(0, database.lsn - database.log_lsn - LSN_STEP // 2) if database.keeps_log else 0
            yield database.id, database.recovery_model, logged / 1_048_576, "LOG_BACKUP" if logged else "NOTHING"


def _replica_id(database: Database) -> str | None:
    """The id of this server's replica of the availability group that the database has joined."""
    return str(uuid5(NAMESPACE_DNS, database.availability_group)).upper() if database.availability_group else None


def _mirroring(instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for database in instance.databases.all():
        yield database.id, None, None  # the lab mirrors nothing


def _sessions(instance: Instance, own: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for session in _visible(instance, own):
        database = instance.databases.find(session.database)
        status = "running" if session.request else "sleeping"
        yield (
            session.id,
            session.started,
            session.host,
            session.program,
            session.login,
            status,
            database.id if database else 1,
            1,
            session.transactions,
        )


def _requests(instance: Instance, own: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for session in _visible(instance, own):
        if request := session.request:
            database = instance.databases.find(session.database)
            yield (
                session.id,
                0,
                request.started,
                "running",
                request.command,
                database.id if database else 1,
                None,
                request.percent_complete,
            )


def _visible(instance: Instance, own: Session) -> list[Session]:
    """Without VIEW SERVER STATE a session sees itself alone."""
    login = instance.logins.find(own.login)
    return instance.sessions.all() if login and login.may("VIEW SERVER STATE") else [own]


def _schemas(_instance: Instance, _session: Session, connection: apsw.Connection) -> Iterator[Row]:
    yield "dbo", 1, 1
    others = sorted({schema_and_name(table)[0] for table in user_tables(connection)} - {"dbo"})
    for number, schema in enumerate(others, start=5):
        yield schema, number, 1


def _tables(instance: Instance, session: Session, connection: apsw.Connection) -> Iterator[Row]:
    schema_ids = {name: number for name, number, _ in _schemas(instance, session, connection)}
    for number, table in enumerate(user_tables(connection), start=1):
        schema, name = schema_and_name(table)
        yield name, object_id(number), schema_ids[schema], "U ", "USER_TABLE"


def object_id(number: int) -> int:
    """The id of a database's nth table; ids of user objects are large and sparse on a real server too."""
    return 245_575_913 + 16_000_057 * number % 1_900_000_000


def _configurations(_instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    yield "contained database authentication", 1


VIEWS: dict[str, View] = {
    "configurations": View("name NVARCHAR(35); value_in_use INT", _configurations),
    "databases": View(
        "name SYSNAME; database_id INT; create_date DATETIME; compatibility_level TINYINT; "
        "collation_name SYSNAME; user_access TINYINT; user_access_desc NVARCHAR(60); is_read_only BIT; "
        "state TINYINT; state_desc NVARCHAR(60); recovery_model TINYINT; recovery_model_desc NVARCHAR(60); "
        "owner_sid VARBINARY(85); source_database_id INT; replica_id UNIQUEIDENTIFIER; is_broker_enabled BIT; "
        "service_broker_guid UNIQUEIDENTIFIER; is_trustworthy_on BIT; "
        "is_db_chaining_on BIT; is_cdc_enabled BIT; is_encrypted BIT; is_honor_broker_priority_on BIT; "
        "is_published BIT; is_subscribed BIT; is_merge_published BIT; is_distributor BIT; "
        "is_master_key_encrypted_by_server BIT; containment TINYINT; containment_desc NVARCHAR(60); "
        "is_temporal_history_retention_enabled BIT",
        _databases,
    ),
    "sysdatabases": View(
        "name SYSNAME; dbid SMALLINT; crdate DATETIME; cmptlevel TINYINT; filename NVARCHAR(260)",
        _sysdatabases,
    ),
    "master_files": View(
        "database_id INT; file_id INT; type TINYINT; type_desc NVARCHAR(60); name SYSNAME; "
        "physical_name NVARCHAR(260); size INT; state TINYINT; state_desc NVARCHAR(60); "
        "differential_base_lsn NUMERIC(25,0); differential_base_guid UNIQUEIDENTIFIER; redo_start_lsn NUMERIC(25,0)",
        _master_files,
    ),
    "database_files": View(
        "file_id INT; type TINYINT; type_desc NVARCHAR(60); name SYSNAME; physical_name NVARCHAR(260); "
        "state TINYINT; state_desc NVARCHAR(60); size INT; differential_base_lsn NUMERIC(25,0); "
        "differential_base_guid UNIQUEIDENTIFIER",
        _database_files,
    ),
    "database_recovery_status": View(
        "database_id INT; family_guid UNIQUEIDENTIFIER; last_log_backup_lsn NUMERIC(25,0); "
        "recovery_fork_guid UNIQUEIDENTIFIER; first_recovery_fork_guid UNIQUEIDENTIFIER; fork_point_lsn NUMERIC(25,0)",
        _recovery_status,
    ),
    "dm_db_log_stats": View(
        "database_id INT; recovery_model NVARCHAR(60); log_since_last_log_backup_mb FLOAT; "
        "log_truncation_holdup_reason NVARCHAR(60)",
        _log_stats,
    ),
    "database_mirroring": View(
        "database_id INT; mirroring_guid UNIQUEIDENTIFIER; mirroring_state TINYINT",
        _mirroring,
    ),
    "credentials": View(
        "credential_id INT; name SYSNAME; credential_identity NVARCHAR(4000)",
        security_views.credentials,
    ),
    "dm_exec_sessions": View(
        "session_id SMALLINT; login_time DATETIME; host_name NVARCHAR(128); program_name NVARCHAR(128); "
        "login_name NVARCHAR(128); status NVARCHAR(30); database_id SMALLINT; is_user_process BIT; "
        "open_transaction_count INT",
        _sessions,
    ),
    "dm_exec_requests": View(
        "session_id SMALLINT; request_id INT; start_time DATETIME; status NVARCHAR(30); "
        "command NVARCHAR(32); database_id SMALLINT; wait_type NVARCHAR(60); percent_complete REAL",
        _requests,
    ),
    "server_principals": View(
        "name SYSNAME; principal_id INT; sid VARBINARY(85); type CHAR(1); type_desc NVARCHAR(60); is_disabled BIT",
        security_views.server_principals,
    ),
    "database_principals": View(
        "name SYSNAME; principal_id INT; sid VARBINARY(85); type CHAR(1); type_desc NVARCHAR(60); "
        "default_schema_name SYSNAME; authentication_type INT; authentication_type_desc NVARCHAR(60)",
        security_views.database_principals,
    ),
    "certificates": View(
        "name SYSNAME; certificate_id INT; thumbprint VARBINARY(32); pvt_key_last_backup_date DATETIME",
        security_views.certificates,
    ),
    "asymmetric_keys": View(
        "name SYSNAME; asymmetric_key_id INT; thumbprint VARBINARY(32)",
        security_views.asymmetric_keys,
    ),
    "dm_database_encryption_keys": View(
        "database_id INT; encryption_state INT; encryptor_thumbprint VARBINARY(20); encryptor_type NVARCHAR(32)",
        security_views.encryption_keys,
    ),
    "schemas": View(
        "name SYSNAME; schema_id INT; principal_id INT",
        _schemas,
    ),
    "tables": View(
        "name SYSNAME; object_id INT; schema_id INT; type CHAR(2); type_desc NVARCHAR(60)",
        _tables,
    ),
    **PERFORMANCE_VIEWS,
    **VOLUME_VIEWS,
}
