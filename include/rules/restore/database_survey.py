"""What is found of the database and its .bak before a restore touches anything."""

from __future__ import annotations

from dataclasses import dataclass

from include.rules.points.backup_files import DatabaseFile
from include.rules.points.database_settings import DatabaseSettings
from include.rules.restore.server_facts import ServerFacts


@dataclass(frozen=True)
class DatabaseSurvey:
    """What was found on the database server.

    Attributes:
        state: State of the database of that name on the server, empty when there is none.
        bytes: Size of its files.
        files: Where they lie.
        backup_file: Why the .bak cannot be restored from; empty when it can.
        settings: What lies around its data now; None when there is none, or nobody has asked.
        server: What the server is and lets the login do; None when nobody has asked.
    """

    state: str = ""
    bytes: int = 0
    files: tuple[DatabaseFile, ...] = ()
    backup_file: str = ""
    settings: DatabaseSettings | None = None
    server: ServerFacts | None = None
