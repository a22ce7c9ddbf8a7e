"""Logins of the lab's SQL Server that may do what the README says, and no more."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from lab.testing.sql_server import LabSqlServer
from perennial.hooks.sql_server import tsql

README = Path(__file__).parents[2] / "README.md"
PASSWORD = "S3cret-Passw0rd"
CONNECTION = "AIRFLOW_CONN_SQL_SERVER_LAB"


def readme_statements() -> list[str]:
    """The statements by which the README has the login made, one after the other."""
    blocks = re.findall(r"^ *```sql\n(.*?)```", README.read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if "CREATE LOGIN" in block]
    return [statement.strip() for statement in block.split(";") if statement.strip()]


@dataclass(frozen=True)
class ReadmeLogin:
    """A login made by the README's statements, with another name and password, and for one database."""

    server: LabSqlServer
    name: str
    database: str

    @classmethod
    def make(cls, server: LabSqlServer, database: str, but_for: str = "") -> ReadmeLogin:
        """Make one; the statement that has the text `but_for` is left out."""
        login = cls(server, f"perennial_{uuid4().hex[:8]}", database)
        wanted = [statement for statement in readme_statements() if not but_for or but_for not in statement]
        assert but_for == "" or len(wanted) == len(readme_statements()) - 1
        server.run(*(login._made_own(statement) for statement in wanted))
        return login

    @property
    def connect_options(self) -> dict[str, str]:
        """How pymssql.connect signs in with it."""
        return {"user": self.name, "password": PASSWORD}

    def sign_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let Perennial sign in with it."""
        connection = json.loads(os.environ[CONNECTION]) | {"login": self.name, "password": PASSWORD}
        monkeypatch.setenv(CONNECTION, json.dumps(connection))

    def drop(self) -> None:
        """The login is gone; its user stays where databases have it."""
        self.server.run(f"DROP LOGIN {tsql.name(self.name)}")

    def _made_own(self, statement: str) -> str:
        return (
            statement.replace("[perennial]", tsql.name(self.name))
            .replace("[<database of a tenant>]", tsql.name(self.database))
            .replace("<choose one>", PASSWORD)
        )
