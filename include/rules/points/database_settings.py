"""Settings that lie around a database's data, as its server had them: what RESTORE and ATTACH may not bring back.

Service Broker, trust and the owner belong to the server; change data capture and replication are taken off on the way
to another server or name; an encrypted database needs a certificate of its server. Source: learn.microsoft.com, "Manage
metadata when making a database available on another server", RESTORE, CREATE DATABASE, sys.databases.
"""

from __future__ import annotations

from pydantic import AwareDatetime

from include.rules.register.tenants import Strict


class Encryption(Strict):
    """How a database is encrypted by its server (TDE), or was until lately: its key is there still.

    Attributes:
        is_on: False while the key is there and does not encrypt: its log, and so its backups, may need it all the same.
        thumbprint: Of the certificate or asymmetric key that encrypts the database's key, in hexadecimal; empty where
            the login may not see it.
        encryptor: CERTIFICATE or ASYMMETRIC KEY; empty where the login may not see it.
        certificate: Name of the certificate; empty where the login may not see it, or it is none.
        key_backed_up_at: When the certificate's private key was last written to a file, in the server's time, taken for
            UTC; None where it never was, or the login may not see it.
    """

    is_on: bool
    thumbprint: str = ""
    encryptor: str = ""
    certificate: str = ""
    key_backed_up_at: AwareDatetime | None = None

    @property
    def described(self) -> str:
        """What has to be on a server that the database comes back on."""
        kind = (self.encryptor or "certificate").lower()
        if not self.thumbprint:
            return f"a {kind} that the connection's login may not see"
        name = f" {self.certificate}" if self.certificate else ""
        return f"{'the' if name else 'a'} {kind}{name} with the thumbprint 0x{self.thumbprint}"

    @property
    def warning(self) -> str:
        """What somebody has to know before the server is lost, in a sentence."""
        kept = "Keep a backup of it, with its private key, away from that server."
        if self.certificate and self.key_backed_up_at is None:
            kept = "Its private key has never been backed up: without it the backups are lost together with the server."
        return f"The database is encrypted and can be restored on no server without {self.described}. {kept}"


class DatabaseSettings(Strict):
    """The settings of one database.

    Attributes:
        server: @@SERVERNAME of the server that was asked.
        owner: Name of the owner's login; empty where that login is gone.
        owner_sid: The owner's SID in hexadecimal.
        broker, honors_broker_priority, trustworthy, db_chaining: Off after every restore and attach.
        cdc: Change data capture.
        replicated: The database publishes, subscribes or distributes.
        master_key_by_server: Its master key is encrypted by the server's own: it opens without a password.
        temporal_retention: Old rows of temporal tables are cleaned away; off after a restore to a point in time.
        compatibility_level, recovery_model, containment: These come with a backup.
        encryption: None where the database has no encryption key.
    """

    server: str
    owner: str = ""
    owner_sid: str
    broker: bool = False
    honors_broker_priority: bool = False
    trustworthy: bool = False
    db_chaining: bool = False
    cdc: bool = False
    replicated: bool = False
    master_key_by_server: bool = False
    temporal_retention: bool = True
    compatibility_level: int
    recovery_model: str
    containment: str = "NONE"
    encryption: Encryption | None = None


def restore_warning(settings: DatabaseSettings | None) -> str:
    """What a restore on another server takes besides the recovery point; empty when nothing is known of it."""
    return settings.encryption.warning if settings and settings.encryption else ""
