"""Statements that hold statements, and so what a statement may be at all."""

from __future__ import annotations

from dataclasses import dataclass

from lab.sqlserver.tsql.statements.backups import Backup, Restore, RestoreReport
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
    CreateIndex,
    CreateTable,
    DropTable,
)


@dataclass(frozen=True)
class If:
    condition: str
    then: Statement
    otherwise: Statement | None = None


@dataclass(frozen=True)
class Block:
    statements: tuple[Statement, ...]


Statement = (
    Query | If | Block | Declare | SetVariable | SetOption | Execute | Transaction | Use | Print | Kill | CheckDatabase
    | CreateDatabase | DropDatabase | AlterDatabase | RenameDatabase | CreateCredential | DropCredential | CreateLogin
    | CreateUser | AlterUser | DropPrincipal | AlterRole | Grant | Backup | Restore
    | AlterAuthorization | CreateCertificate | BackupCertificate | DropCertificate | CreateEncryptionKey
    | DropEncryptionKey | CreateSnapshot | AlterAvailabilityGroup | RestoreReport | CreateTable | AlterTable | DropTable
    | CreateIndex
)  # fmt: skip
