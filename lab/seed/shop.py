"""A tenant's database: the shop of lab/sql/shop.sql."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymssql

from lab.load_sql import load_script
from lab.settings import HOST, VAULT_BUCKET, LabSettings

SCRIPT = Path(__file__).parents[1] / "sql" / "shop.sql"
LOGIN_SECONDS = 60


def connect_arguments(settings: LabSettings, number: int = 1) -> dict[str, Any]:
    """How pymssql reaches one of the lab's SQL Servers."""
    return {
        "server": HOST,
        "port": str(settings.sql_port(number)),
        "user": settings.sql_user,
        "password": settings.sql_password,
        "login_timeout": LOGIN_SECONDS,
        "autocommit": True,
    }


def write_shop(settings: LabSettings, database: str, company: str, number: int, customers: int) -> None:
    """Make the database anew and fill it.

    `number` makes the rows differ from other shops'; there are 31 rows for each of `customers`, and 500 products.
    """
    with pymssql.connect(database="master", **connect_arguments(settings)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS [{database}]")
        cursor.execute(f"CREATE DATABASE [{database}]")
    variables = {"$(Company)": company, "$(Number)": str(number), "$(Rows)": str(customers)}
    script = SCRIPT.read_text()
    for variable, value in variables.items():
        script = script.replace(variable, value)
    filled_in = settings.state / "seed" / f"{database}.sql"
    filled_in.parent.mkdir(parents=True, exist_ok=True)
    filled_in.write_text(script)
    load_script(filled_in, database, connect_arguments(settings))


def write_vault_credential(settings: LabSettings, number: int = 1) -> None:
    """Let SQL Server write to the vault: the credential's name is the URL, its secret the S3 key pair."""
    name = f"s3://{HOST}:{settings.storage_port}/{VAULT_BUCKET}"
    secret = f"{settings.access_key}:{settings.secret_key}"
    with pymssql.connect(database="master", **connect_arguments(settings, number)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM sys.credentials WHERE name = %s", (name,))
        if not cursor.fetchall():
            cursor.execute(f"CREATE CREDENTIAL [{name}] WITH IDENTITY = N'S3 Access Key', SECRET = N'{secret}'")
