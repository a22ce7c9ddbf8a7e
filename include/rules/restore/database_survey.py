"""What is found of the database and its .bak before a restore touches anything."""

from __future__ import annotations

from dataclasses import dataclass

from include.rules.points.backup_files import DatabaseFile


@dataclass(frozen=True)
class DatabaseSurvey:
    """What was found on the database server.

    Attributes:
        state: State of the database of that name on the server, empty when there is none.
        bytes: Size of its files.
        files: Where they lie.
        backup_file: Why the .bak cannot be restored from; empty when it can.
    """

    state: str = ""
    bytes: int = 0
    files: tuple[DatabaseFile, ...] = ()
    backup_file: str = ""
