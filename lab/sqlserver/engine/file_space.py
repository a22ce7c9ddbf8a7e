"""How much of a database's files is in use."""

from __future__ import annotations

from pathlib import Path

from lab.sqlserver.engine.databases import PAGE_SIZE, Database, open_file


def pages_of(database: Database) -> dict[str, int]:
    """The pages in use of each file of a database, by its logical name; what stands in the write-ahead log counts."""
    connection = open_file(database)
    try:
        data = int(connection.pragma("page_count"))
    finally:
        connection.close(True)
    log = Path(database.log_file)
    log_bytes = log.stat().st_size if log.exists() else 0
    return {database.data_name: data, database.log_name: -(-log_bytes // PAGE_SIZE)}
