"""Which settings around a database's data a restore loses, which it puts back, and what has to be named instead.

What counts is what the recovery point says: the database comes back as it was at that moment, whatever somebody has
switched on, off or over to another owner since. Where an older point says nothing, those stand in for it that the
database has when a restore over itself is planned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.manifest import Manifest
from include.rules.register.tenants import DatabaseHost
from include.rules.restore.server_facts import ServerFacts
from include.rules.restore.survey import not_restorable

WITHOUT_CDC = ("express", "web")
"""Editions (SERVERPROPERTY, Edition) that refuse a database with change data capture (learn.microsoft.com, "Editions
and supported features of SQL Server 2022")."""


class Return(StrEnum):
    """How a setting that was lost comes back."""

    PUT_BACK = "put back"
    ADMINISTRATOR = "put back by an administrator's login"
    """Only who controls the server may: it lets the database reach beyond itself."""
    BY_HAND = "by hand"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        field: Its name in DatabaseSettings.
        label: What people call it.
        effect: What does not go while it is not what it was.
    """

    field: str
    label: str
    returns: Return
    effect: str


SETTINGS = (
    Setting("broker", "Service Broker", Return.PUT_BACK, "its queues and query notifications stand still"),
    Setting("honors_broker_priority", "HONOR_BROKER_PRIORITY", Return.PUT_BACK, "all messages have one priority"),
    Setting("db_chaining", "DB_CHAINING", Return.ADMINISTRATOR, "views over several databases may be refused"),
    Setting("trustworthy", "TRUSTWORTHY", Return.ADMINISTRATOR, "modules that reach out of the database are refused"),
    Setting("owner", "the owner", Return.ADMINISTRATOR, "the former owner has no rights in it"),
    Setting("cdc", "change data capture", Return.BY_HAND, "changes are captured no more"),
    Setting("replicated", "replication", Return.BY_HAND, "nothing is published or subscribed to any more"),
    Setting(
        "master_key_by_server", "the master key's encryption by the server", Return.BY_HAND, "it takes its password"
    ),
    Setting("temporal_retention", "TEMPORAL_HISTORY_RETENTION", Return.BY_HAND, "old history is not cleaned away"),
    Setting("recovery_model", "the recovery model", Return.BY_HAND, "logs are kept, or not, against the plan"),
    Setting("compatibility_level", "the compatibility level", Return.BY_HAND, "queries may behave differently"),
    Setting("containment", "containment", Return.BY_HAND, "users of its own may not sign in"),
)
"""All of them, in the order in which they are put back: the owner last, for who gives a database away may lose rights
in it."""


def may_put_back(setting: Setting, server: ServerFacts) -> bool:
    """True when the login may, and a single statement does it."""
    return setting.returns is Return.PUT_BACK or (setting.returns is Return.ADMINISTRATOR and server.controls_server)


@dataclass(frozen=True)
class Difference:
    """A setting that is not what it was: both values as people say them."""

    setting: Setting
    wanted: str
    actual: str

    @property
    def text(self) -> str:
        """For instance `Service Broker was on and is off: its queues ... stand still`."""
        return f"{self.setting.label} was {self.wanted} and is {self.actual}: {self.setting.effect}"


def wanted_settings(manifest: Manifest, now: DatabaseSettings | None, *, in_place: bool) -> DatabaseSettings | None:
    """The settings that the database should come back with; None where nobody knows."""
    return manifest.database_settings or (now if in_place else None)


def is_own_place(manifest: Manifest, target: DatabaseHost, database: str) -> bool:
    """True when the database comes back where it was, under its own name: nothing of it is there a second time."""
    source = manifest.source.database
    return source.connection == target.connection and source.name.casefold() == database.casefold()


def keeps_cdc(wanted: DatabaseSettings | None, server: ServerFacts | None) -> bool:
    """True when the restore is to keep change data capture: it was on, and the server's edition takes it."""
    takes_it = server is None or not server.edition.lower().startswith(WITHOUT_CDC)
    return wanted is not None and wanted.cdc and takes_it


def expected_settings(
    wanted: DatabaseSettings, server: ServerFacts, name: str, *, own_place: bool, attached: bool
) -> DatabaseSettings:
    """What the settings will be when the data is back and nothing has been put back yet.

    Args:
        name: @@SERVERNAME of the server it goes to; empty where the server did not say.
        own_place: See `is_own_place`.
        attached: True when it comes from a snapshot and not from the .bak.
    """
    same_server = name == wanted.server
    lost = {
        "server": name,
        "owner": server.login,
        "owner_sid": wanted.owner_sid if server.login.casefold() == wanted.owner.casefold() else "",
        "broker": False,
        "honors_broker_priority": False,
        "trustworthy": False,
        "db_chaining": False,
        "cdc": wanted.cdc and (attached or keeps_cdc(wanted, server)),
        "replicated": wanted.replicated and same_server and own_place and not attached,
        "master_key_by_server": wanted.master_key_by_server and same_server,
    }
    return wanted.model_copy(update=lost)


def differences(wanted: DatabaseSettings, actual: DatabaseSettings) -> tuple[Difference, ...]:
    """The settings that are not what they were, in the order in which they are put back."""
    return tuple(
        Difference(setting, _said(wanted, setting.field), _said(actual, setting.field))
        for setting in SETTINGS
        if _is_lost(wanted, actual, setting.field)
    )


def check_server_takes(
    manifest: Manifest, wanted: DatabaseSettings | None, server: ServerFacts | None, connection: str, suggestion: str
) -> None:
    """Refuse a server that cannot take the database, whatever else is in order.

    Args:
        connection: The server's name in Airflow.
        suggestion: A sentence that names the nearest other recovery point.

    Raises:
        RefusedError: with what the server lacks.
    """
    if wanted is None or server is None:
        return
    encryption = wanted.encryption
    if encryption and encryption.thumbprint and server.sees_definitions and not server.has_encryptor:
        raise not_restorable(
            manifest,
            f"its database is encrypted, and {connection} does not have {encryption.described}",
            "Create it there from its backup (CREATE CERTIFICATE ... FROM FILE ... WITH PRIVATE KEY), then start the "
            "restore again. Other recovery points of that time need it, too.",
        )
    if wanted.containment != "NONE" and not server.takes_contained:
        raise not_restorable(
            manifest,
            f"its database has users of its own ({wanted.containment.lower()} containment), and {connection} does not "
            "let such databases in",
            f"Set the server's option `contained database authentication` to 1. {suggestion}".strip(),
        )


def _is_lost(wanted: DatabaseSettings, actual: DatabaseSettings, field: str) -> bool:
    before, now = getattr(wanted, field), getattr(actual, field)
    if field == "owner":  # on another server the same login has another SID
        return wanted.owner_sid != actual.owner_sid and before.casefold() != now.casefold()
    return bool(before and not now) if isinstance(before, bool) else before != now


def _said(settings: DatabaseSettings, field: str) -> str:
    value = getattr(settings, field)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "a login that is gone"
