"""Tables and indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    """ALTER TABLE ... ADD: columns and constraints."""

    table: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...] = ()
    constraints: tuple[TableConstraint, ...] = ()


@dataclass(frozen=True)
class DropTable:
    tables: tuple[tuple[str, ...], ...]
    if_exists: bool


@dataclass(frozen=True)
class CreateIndex:
    name: str
    table: tuple[str, ...]
    columns: tuple[tuple[str, bool], ...]  # name, descending
    unique: bool
