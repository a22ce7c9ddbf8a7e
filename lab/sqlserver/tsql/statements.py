"""The statements of a batch, as values: what the grammar makes and what the server carries out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DEFAULT_TRANSFER_SIZE = 10 * 1024 * 1024


@dataclass(frozen=True)
class Query:
    """SELECT, INSERT, UPDATE, DELETE: `text` as it came; `assigns` are the variables a SELECT @a = ... fills."""

    text: str
    assigns: tuple[str, ...] = ()


@dataclass(frozen=True)
class If:
    condition: str
    then: Statement
    otherwise: Statement | None = None


@dataclass(frozen=True)
class Block:
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Declare:
    """DECLARE @name type [= expression]; `kind` is the type's text."""

    name: str
    kind: str
    expression: str | None


@dataclass(frozen=True)
class SetVariable:
    name: str
    expression: str


@dataclass(frozen=True)
class SetOption:
    """SET NOCOUNT ON and its like: `words` are all words after SET, in capitals but for names."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Execute:
    """EXEC [@result =] procedure [@name =] expression, ...; an argument given by position has an empty name."""

    procedure: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    result: str | None = None


@dataclass(frozen=True)
class Transaction:
    action: Literal["BEGIN", "COMMIT", "ROLLBACK"]


@dataclass(frozen=True)
class Use:
    database: str


@dataclass(frozen=True)
class Print:
    expression: str


@dataclass(frozen=True)
class Kill:
    session_id: int


@dataclass(frozen=True)
class CheckDatabase:
    """DBCC CHECKDB; without a database, the session's own."""

    database: str | None
    no_infomsgs: bool


@dataclass(frozen=True)
class CreateDatabase:
    """CREATE DATABASE; `files` are those of a FOR ATTACH, the data file first."""

    name: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class DropDatabase:
    names: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True)
class AlterDatabase:
    """ALTER DATABASE name SET option [WITH termination]; without a database (CURRENT), the session's own."""

    database: str | None
    option: Literal["SINGLE_USER", "MULTI_USER", "OFFLINE", "ONLINE", "RECOVERY"]
    value: str | None = None
    termination: Literal["ROLLBACK", "NO_WAIT"] | None = None


@dataclass(frozen=True)
class RenameDatabase:
    """ALTER DATABASE name MODIFY NAME = name; without a database (CURRENT), the session's own."""

    database: str | None
    new_name: str


@dataclass(frozen=True)
class CreateCredential:
    name: str
    identity: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class DropCredential:
    name: str


@dataclass(frozen=True)
class CreateLogin:
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class CreateUser:
    """CREATE USER in the session's current database."""

    name: str
    login: str


@dataclass(frozen=True)
class DropPrincipal:
    kind: Literal["LOGIN", "USER"]
    name: str


@dataclass(frozen=True)
class AlterRole:
    """ALTER [SERVER] ROLE: `member` joins (`add`) or leaves."""

    on_server: bool
    role: str
    add: bool
    member: str


@dataclass(frozen=True)
class Grant:
    """GRANT (`given`) or REVOKE of a permission on the server."""

    permission: str
    given: bool
    login: str


@dataclass(frozen=True)
class Device:
    """Where a backup goes to or comes from: a file (DISK) or an object (URL, s3://host:port/bucket/key)."""

    kind: Literal["DISK", "URL"]
    name: str


@dataclass(frozen=True)
class Backup:
    """BACKUP DATABASE, the same WITH DIFFERENTIAL, or BACKUP LOG; several devices are stripes of one backup.

    `stats` is the step between progress messages in per cent (None: none), `transfer_size` a part's bytes. With
    `norecovery` the database is RESTORING afterwards.
    """

    kind: Literal["DATABASE", "DIFFERENTIAL", "LOG"]
    database: str
    devices: tuple[Device, ...]
    name: str | None = None
    description: str | None = None
    checksum: bool = False
    compression: bool = False
    copy_only: bool = False
    overwrite: bool = False
    norecovery: bool = False
    stats: int | None = None
    transfer_size: int = DEFAULT_TRANSFER_SIZE


@dataclass(frozen=True)
class Restore:
    """RESTORE DATABASE or RESTORE LOG; without devices, only what follows the last backup: recovery.

    `moves` maps logical file names to physical paths; `stop_at` is a moment as written.
    """

    kind: Literal["DATABASE", "LOG"]
    database: str
    devices: tuple[Device, ...]
    moves: tuple[tuple[str, str], ...] = ()
    replace: bool = False
    checksum: bool = False
    recovery: bool = True
    stop_at: str | None = None
    stats: int | None = None


@dataclass(frozen=True)
class RestoreReport:
    """RESTORE VERIFYONLY, HEADERONLY, FILELISTONLY or LABELONLY."""

    report: Literal["VERIFYONLY", "HEADERONLY", "FILELISTONLY", "LABELONLY"]
    devices: tuple[Device, ...]
    checksum: bool = False
    stats: int | None = None


@dataclass(frozen=True)
class ColumnDefinition:
    """`kind` is the type's text in capitals, `NVARCHAR(160)`; `default` and `check` are expressions as written."""

    name: str
    kind: str
    nullable: bool = True
    identity_seed: int | None = None
    default: str | None = None
    constraints: tuple[TableConstraint, ...] = ()


@dataclass(frozen=True)
class TableConstraint:
    """A key, a reference or a check. `reference` is the other table's name and columns."""

    kind: Literal["PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK"]
    name: str | None
    columns: tuple[str, ...] = ()
    reference: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    actions: tuple[str, ...] = ()
    check: str | None = None


@dataclass(frozen=True)
class CreateTable:
    table: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[TableConstraint, ...]


@dataclass(frozen=True)
class AlterTable:
    """ALTER TABLE: columns and constraints to add, or one column to drop."""

    table: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...] = ()
    constraints: tuple[TableConstraint, ...] = ()
    drop_column: str | None = None


@dataclass(frozen=True)
class DropTable:
    tables: tuple[tuple[str, ...], ...]
    if_exists: bool


@dataclass(frozen=True)
class TruncateTable:
    table: tuple[str, ...]


@dataclass(frozen=True)
class CreateIndex:
    name: str
    table: tuple[str, ...]
    columns: tuple[tuple[str, bool], ...]  # name, descending
    unique: bool


@dataclass(frozen=True)
class DropIndex:
    name: str
    table: tuple[str, ...]


Statement = (
    Query | If | Block | Declare | SetVariable | SetOption | Execute | Transaction | Use | Print | Kill | CheckDatabase
    | CreateDatabase | DropDatabase | AlterDatabase | RenameDatabase | CreateCredential | DropCredential | CreateLogin
    | CreateUser | DropPrincipal | AlterRole | Grant | Backup | Restore
    | RestoreReport | CreateTable | AlterTable | DropTable | TruncateTable | CreateIndex | DropIndex
)  # fmt: skip
