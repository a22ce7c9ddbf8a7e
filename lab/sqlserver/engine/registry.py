"""What the server knows of itself, on disk: databases and credentials as JSON records in one SQLite file.

Every change is committed before the statement that made it is answered, so it survives a SIGKILL.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import RLock
from typing import Any

import apsw


class Registry:
    """Records by kind and name; names compare without case, as SQL Server's do."""

    def __init__(self, path: Path) -> None:
        self.lock = RLock()
        self._connection = apsw.Connection(str(path))
        self._connection.pragma("journal_mode", "WAL")
        self._connection.pragma("synchronous", "NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS record "
            "(kind TEXT, name TEXT COLLATE NOCASE, value TEXT, PRIMARY KEY (kind, name))"
        )

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        row = self._run("SELECT value FROM record WHERE kind = ? AND name = ?", kind, name)
        return json.loads(row[0][0]) if row else None

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [
            json.loads(value) for (value,) in self._run("SELECT value FROM record WHERE kind = ? ORDER BY name", kind)
        ]

    def put(self, kind: str, name: str, value: dict[str, Any]) -> None:
        self._run("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", kind, name, json.dumps(value))

    def rename(self, kind: str, name: str, new_name: str, value: dict[str, Any]) -> None:
        """Keep a record under another name, in one step."""
        self._run(
            "UPDATE record SET name = ?, value = ? WHERE kind = ? AND name = ?", new_name, json.dumps(value), kind, name
        )

    def delete(self, kind: str, name: str) -> None:
        self._run("DELETE FROM record WHERE kind = ? AND name = ?", kind, name)

    def _run(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with self.lock:
            return list(self._connection.execute(sql, values))
