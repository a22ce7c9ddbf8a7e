"""The statements of a batch, as values: what the grammar makes and what the server carries out."""

from __future__ import annotations

from lab.sqlserver.tsql.statements.backups import Backup, Device, Restore, RestoreReport
from lab.sqlserver.tsql.statements.batches import (
    Declare,
    Execute,
    Print,
    Query,
    SetOption,
    SetVariable,
    Transaction,
)
from lab.sqlserver.tsql.statements.databases import (
    AlterAvailabilityGroup,
    AlterDatabase,
    CheckDatabase,
    CreateCredential,
    CreateDatabase,
    CreateSnapshot,
    DropCredential,
    DropDatabase,
    Kill,
    RenameDatabase,
    Use,
)
from lab.sqlserver.tsql.statements.encryption import (
    BackupCertificate,
    CreateCertificate,
    CreateEncryptionKey,
    DropCertificate,
    DropEncryptionKey,
)
from lab.sqlserver.tsql.statements.nesting import Block, If, Statement
from lab.sqlserver.tsql.statements.principals import (
    AlterAuthorization,
    AlterRole,
    AlterUser,
    CreateLogin,
    CreateUser,
    DropPrincipal,
    Grant,
)
from lab.sqlserver.tsql.statements.tables import (
    AlterTable,
    ColumnDefinition,
    CreateIndex,
    CreateTable,
    DropTable,
    TableConstraint,
)

__all__ = [
    "AlterAuthorization",
    "AlterAvailabilityGroup",
    "AlterDatabase",
    "AlterRole",
    "AlterTable",
    "AlterUser",
    "Backup",
    "BackupCertificate",
    "Block",
    "CheckDatabase",
    "ColumnDefinition",
    "CreateCertificate",
    "CreateCredential",
    "CreateDatabase",
    "CreateEncryptionKey",
    "CreateIndex",
    "CreateLogin",
    "CreateSnapshot",
    "CreateTable",
    "CreateUser",
    "Declare",
    "Device",
    "DropCertificate",
    "DropCredential",
    "DropDatabase",
    "DropEncryptionKey",
    "DropPrincipal",
    "DropTable",
    "Execute",
    "Grant",
    "If",
    "Kill",
    "Print",
    "Query",
    "RenameDatabase",
    "Restore",
    "RestoreReport",
    "SetOption",
    "SetVariable",
    "Statement",
    "TableConstraint",
    "Transaction",
    "Use",
]  # fmt: skip
