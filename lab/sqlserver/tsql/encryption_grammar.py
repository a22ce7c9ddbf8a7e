"""The grammar of certificates and of databases' encryption keys."""

from __future__ import annotations

from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    BackupCertificate,
    CreateCertificate,
    CreateEncryptionKey,
    DropCertificate,
    DropEncryptionKey,
)


def create_certificate(reader: Reader) -> CreateCertificate:
    """CREATE CERTIFICATE name WITH SUBJECT = N'...', or FROM FILE = N'...' WITH PRIVATE KEY (...)."""
    reader.expect("CREATE", "CERTIFICATE")
    name = reader.name()
    if reader.accept("FROM", "FILE"):
        reader.expect_symbol("=")
        file = reader.string()
        reader.expect("WITH", "PRIVATE", "KEY")
        reader.skip_parentheses()
        return CreateCertificate(name, file)
    reader.expect("WITH", "SUBJECT")
    reader.expect_symbol("=")
    reader.string()
    return CreateCertificate(name)


def backup_certificate(reader: Reader) -> BackupCertificate:
    """BACKUP CERTIFICATE name TO FILE = N'...' WITH PRIVATE KEY (FILE = N'...', ENCRYPTION BY PASSWORD = N'...')."""
    reader.expect("BACKUP", "CERTIFICATE")
    name = reader.name()
    reader.expect("TO", "FILE")
    reader.expect_symbol("=")
    file = reader.string()
    reader.expect("WITH", "PRIVATE", "KEY")
    reader.expect_symbol("(")
    reader.expect("FILE")
    reader.expect_symbol("=")
    key_file = reader.string()
    reader.expect_symbol(",")
    reader.expect("ENCRYPTION", "BY", "PASSWORD")
    reader.expect_symbol("=")
    reader.string()
    reader.expect_symbol(")")
    return BackupCertificate(name, file, key_file)


def drop_certificate(reader: Reader) -> DropCertificate:
    reader.expect("DROP", "CERTIFICATE")
    return DropCertificate(reader.name())


def create_key(reader: Reader) -> CreateEncryptionKey:
    """CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE name."""
    reader.expect("CREATE", "DATABASE", "ENCRYPTION", "KEY", "WITH", "ALGORITHM")
    reader.expect_symbol("=")
    reader.name()
    reader.expect("ENCRYPTION", "BY", "SERVER", "CERTIFICATE")
    return CreateEncryptionKey(reader.name())


def drop_key(reader: Reader) -> DropEncryptionKey:
    reader.expect("DROP", "DATABASE", "ENCRYPTION", "KEY")
    return DropEncryptionKey()
