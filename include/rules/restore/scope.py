"""What an operator can choose in the form of a restore; its DAG file loads nothing else for it."""

from __future__ import annotations

from enum import StrEnum


class RestoreScope(StrEnum):
    """Which halves of a tenant come back."""

    BOTH = "files and database"
    FILES = "files"
    DATABASE = "database"


class DatabaseSource(StrEnum):
    """What a database is brought back from: the .bak, or the snapshot of its volume (as after a power cut)."""

    BACKUP_FILE = "backup file"
    SNAPSHOT = "snapshot"
