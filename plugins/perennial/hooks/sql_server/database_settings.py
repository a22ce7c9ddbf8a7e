"""The settings around a database's data: read from the server, and put back as far as the login may.

They are put back when the database is open again: none of them can be set before. In place its site is offline still,
so that hardly anybody is put out by the moment in which Service Broker needs the database to itself; and what is
refused keeps no data from its users. Each is set only where it differs, so that it may all be begun again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from include.rules.points.database_settings import DatabaseSettings, Encryption
from include.rules.restore.server_facts import ServerFacts
from include.rules.restore.settings import Difference, Setting, differences, may_put_back
from perennial.hooks.sql_server import tsql_settings
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Row, Session

Remedy = Callable[[str, DatabaseSettings, bool], str]

REMEDIES: dict[str, Remedy] = {
    "broker": lambda database, _, is_copy: tsql_settings.set_broker(database, new=is_copy),
    "honors_broker_priority": lambda database, *_: tsql_settings.switch_on(database, "HONOR_BROKER_PRIORITY"),
    "db_chaining": lambda database, *_: tsql_settings.switch_on(database, "DB_CHAINING"),
    "trustworthy": lambda database, *_: tsql_settings.switch_on(database, "TRUSTWORTHY"),
    "owner": lambda database, wanted, _: tsql_settings.change_owner(database, wanted.owner or "<a login>"),
    "cdc": lambda database, *_: tsql_settings.enable_cdc(database),
    "replicated": lambda *_: "set up its publications and subscriptions again",
    "master_key_by_server": lambda database, *_: tsql_settings.open_master_key(database),
    "temporal_retention": lambda database, *_: tsql_settings.switch_on(database, "TEMPORAL_HISTORY_RETENTION"),
    "recovery_model": lambda database, wanted, _: tsql_settings.set_value(
        database, f"RECOVERY {wanted.recovery_model}"
    ),
    "compatibility_level": lambda database, wanted, _: tsql_settings.set_value(
        database, f"COMPATIBILITY_LEVEL = {wanted.compatibility_level}"
    ),
    "containment": lambda database, wanted, _: tsql_settings.set_value(database, f"CONTAINMENT = {wanted.containment}"),
}
"""What makes a setting again what it was, by its field: statements, or words where no statement does it alone."""


@dataclass(frozen=True)
class PutBack:
    """What has become of the settings that a restore had lost: put back, and refused with the reason."""

    done: tuple[Setting, ...] = ()
    refused: tuple[tuple[Setting, str], ...] = ()


def settings_of(row: Row) -> DatabaseSettings:
    """The settings in a row that `tsql_settings` has asked for."""
    return DatabaseSettings(
        server=str(row["server_name"] or ""),
        owner=str(row["owner_name"] or ""),
        owner_sid=bytes(row["owner_sid"] or b"").hex().upper(),
        broker=bool(row["is_broker_enabled"]),
        honors_broker_priority=bool(row["is_honor_broker_priority_on"]),
        trustworthy=bool(row["is_trustworthy_on"]),
        db_chaining=bool(row["is_db_chaining_on"]),
        cdc=bool(row["is_cdc_enabled"]),
        replicated=any(
            row[column] for column in ("is_published", "is_merge_published", "is_subscribed", "is_distributor")
        ),
        master_key_by_server=bool(row["is_master_key_encrypted_by_server"]),
        temporal_retention=bool(row["is_temporal_history_retention_enabled"]),
        compatibility_level=int(row["compatibility_level"]),
        recovery_model=str(row["recovery_model_desc"]),
        containment=str(row["containment_desc"]),
        encryption=_encryption(row),
    )


def _encryption(row: Row) -> Encryption | None:
    """A key that encrypts nothing at the moment counts, too: backups may need it."""
    if not row["is_encrypted"] and row["encryptor_thumbprint"] is None:
        return None
    backed_up = row["key_backed_up_at"]
    return Encryption(
        is_on=bool(row["is_encrypted"]),
        thumbprint=bytes(row["encryptor_thumbprint"] or b"").hex().upper(),
        encryptor=str(row["encryptor_type"] or ""),
        certificate=str(row["certificate"] or ""),
        key_backed_up_at=backed_up.replace(tzinfo=UTC) if backed_up else None,
    )


def read_settings(
    session: Session, database: str, encryption: Encryption | None = None
) -> tuple[DatabaseSettings | None, ServerFacts]:
    """Ask the server for the settings of a database, None when it has none of that name, and for what it is itself.

    Args:
        encryption: Of the backup that is to be restored there, to ask whether the server has what it takes.
    """
    thumbprint = encryption.thumbprint if encryption else ""
    (row,) = session.run(tsql_settings.settings_and_server(database, thumbprint))
    facts = ServerFacts(
        edition=str(row["edition"]),
        login=str(row["login_name"]),
        controls_server=row["controls_server"] == 1,
        sees_definitions=row["sees_definitions"] == 1,
        has_encryptor=bool(row["certificates"] or row["asymmetric_keys"]),
        takes_contained=row["takes_contained"] == 1,
    )
    return (settings_of(row) if row["found"] else None), facts


def put_back(session: Session, database: str, wanted: DatabaseSettings, *, is_copy: bool) -> PutBack:
    """Put back what a restore of an open database has lost; what is refused is named, and the rest put back.

    Args:
        is_copy: True when another database of the same origin may be on the server.

    Raises:
        SqlServerError: when the connection was lost: it may be begun again.
    """
    actual, server = read_settings(session, database)
    done, refused = list[Setting](), list[tuple[Setting, str]]()
    for difference in differences(wanted, actual) if actual else ():
        setting = difference.setting
        if not may_put_back(setting, server) or (setting.field == "owner" and not wanted.owner):
            continue
        try:
            session.run(remedy(difference, database, wanted, is_copy=is_copy))
        except SqlServerError as error:
            if error.lost_connection:
                raise
            refused.append((setting, str(error)))
        else:
            done.append(setting)
    return PutBack(tuple(done), tuple(refused))


def remedy(difference: Difference, database: str, wanted: DatabaseSettings, *, is_copy: bool) -> str:
    """The statement, or the words, that make the setting again what it was."""
    return REMEDIES[difference.setting.field](database, wanted, is_copy)
