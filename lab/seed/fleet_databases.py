"""Databases of a fleet: one template that SQL Server has made, its files copied and attached a thousand times.

An attach takes 3 ms where CREATE DATABASE with a script of tables and rows takes 50: see `docs/lab.md`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import pymssql

from lab.seed.shop import connect_arguments
from lab.settings import LabSettings

TEMPLATE = "fleet_template"
_SCRIPT = (
    "CREATE TABLE site (tenant NVARCHAR(40) PRIMARY KEY, since DATETIME2 NOT NULL)",
    "CREATE TABLE customer (id INT IDENTITY(1,1) PRIMARY KEY, name NVARCHAR(80) NOT NULL, email NVARCHAR(120))",
    "INSERT INTO site VALUES (N'template', '2025-02-01')",
    *(
        f"INSERT INTO customer (name, email) VALUES (N'Kundin {n:02}', N'k{n:02}@example.com')"  # noqa: S608 - ours
        for n in range(1, 21)
    ),
)


@dataclass(frozen=True)
class FleetDatabase:
    """A tenant's database and the folder where its two files lie."""

    tenant: str
    name: str
    folder: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / f"{self.name}.mdf", self.folder / f"{self.name}_log.ldf"


def make_template(settings: LabSettings) -> tuple[Path, Path]:
    """The files of a database that nobody has open: two tables, twenty-one rows. Made by the first SQL Server, once."""
    kept = settings.state / "seed" / f"{TEMPLATE}.mdf", settings.state / "seed" / f"{TEMPLATE}_log.ldf"
    if all(file.exists() for file in kept):
        return kept
    kept[0].parent.mkdir(parents=True, exist_ok=True)
    with closing(pymssql.connect(database="master", **connect_arguments(settings))) as connection:
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS [{TEMPLATE}]")
        cursor.execute(f"CREATE DATABASE [{TEMPLATE}]")
        cursor.execute(f"USE [{TEMPLATE}]")
        for statement in _SCRIPT:
            cursor.execute(statement)
        cursor.execute("USE [master]")
        cursor.execute(f"ALTER DATABASE [{TEMPLATE}] SET OFFLINE")
        cursor.execute(
            "SELECT type_desc, physical_name FROM sys.master_files WHERE DB_NAME(database_id) = %s", (TEMPLATE,)
        )
        files = {str(kind): Path(str(path)) for kind, path in cursor.fetchall()}
        cursor.execute(f"DROP DATABASE [{TEMPLATE}]")  # of an offline one the files stay
    shutil.move(files["LOG"], kept[1])
    shutil.move(files["ROWS"], kept[0])
    return kept


def attach_copies(
    settings: LabSettings, number: int, databases: Iterable[FleetDatabase], template: tuple[Path, Path]
) -> None:
    """Give one of the SQL Servers these databases; those that it has already are left as they are."""
    with closing(pymssql.connect(database="master", **connect_arguments(settings, number))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM sys.databases")
        known = {str(name) for (name,) in cursor.fetchall()}
        for database in databases:
            if database.name in known:
                continue
            for file, copy in zip(template, database.files, strict=True):
                shutil.copyfile(file, copy)
            _write_name(database)
            files = ", ".join(f"(FILENAME = N'{file}')" for file in database.files)
            cursor.execute(f"CREATE DATABASE [{database.name}] ON {files} FOR ATTACH")


def _write_name(database: FleetDatabase) -> None:
    """Write the tenant's own row where the template's was, so that no tenant's rows are another's.

    The file is nobody's yet, so it is written as what it is underneath.
    """
    with closing(apsw.Connection(str(database.files[0]))) as connection:
        connection.pragma("synchronous", "OFF")
        connection.execute("UPDATE site SET tenant = ?", (database.tenant,))
