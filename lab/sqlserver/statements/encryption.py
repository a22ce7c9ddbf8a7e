"""Certificates, and the encryption keys of databases: for the administrator.

Nothing is really encrypted; what a server refuses without the certificate, the lab refuses.
"""

from __future__ import annotations

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.carried import change_carried
from lab.sqlserver.engine.context import Context
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.statements import (
    BackupCertificate,
    CreateCertificate,
    CreateEncryptionKey,
    DropCertificate,
    DropEncryptionKey,
)


def create_certificate(context: Context, statement: CreateCertificate) -> None:
    """A new certificate, or one from the files that BACKUP CERTIFICATE has written: 15208 where they are missing."""
    permissions.check_admin(context.instance, context.session)
    thumbprint = ""
    if statement.file:
        path = context.instance.backup_folder / statement.file
        if not path.is_file():
            raise SqlServerError(15208)
        thumbprint = path.read_text()
    context.instance.certificates.create(statement.name, thumbprint)
    context.reply.done()


def back_up_certificate(context: Context, statement: BackupCertificate) -> None:
    permissions.check_admin(context.instance, context.session)
    folder = context.instance.backup_folder
    context.instance.certificates.back_up(statement.name, folder / statement.file, folder / statement.key_file)
    context.reply.done()


def drop_certificate(context: Context, statement: DropCertificate) -> None:
    """Raises SqlServerError 15352 while a database's key is encrypted by it."""
    permissions.check_admin(context.instance, context.session)
    certificate = context.instance.certificates.get(statement.name)
    if any(database.encryptor == certificate.thumbprint for database in context.instance.databases.all()):
        raise SqlServerError(15352)
    context.instance.certificates.drop(certificate.name)
    context.reply.done()


def create_key(context: Context, statement: CreateEncryptionKey) -> None:
    """CREATE DATABASE ENCRYPTION KEY in the current database: SqlServerError 33103 where it has one."""
    permissions.check_admin(context.instance, context.session)
    database = context.instance.databases.get(context.session.database)
    if database.encryptor:
        raise SqlServerError(33103)
    certificate = context.instance.certificates.get(statement.certificate)
    change_carried(context.instance, database, encryptor=certificate.thumbprint)
    context.reply.done()


def drop_key(context: Context, _statement: DropEncryptionKey) -> None:
    """Raises SqlServerError 33105 while the database is encrypted by it."""
    permissions.check_admin(context.instance, context.session)
    database = context.instance.databases.get(context.session.database)
    if database.encrypted:
        raise SqlServerError(33105)
    change_carried(context.instance, database, encryptor="")
    context.reply.done()
