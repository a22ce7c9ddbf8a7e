"""How fast the lab backs a large database up to its S3 and restores it, and how much memory that takes.

    python -m bench.lab_backup [MEGABYTES]      1024 if nothing is said; starts and stops servers of its own

Prints a line for each step with its speed, then each process's highest resident memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.testing.server import new_settings
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage

_ROW = 100_000  # bytes
_MEGABYTE = 1_048_576


@dataclass(frozen=True)
class Measured:
    """`seconds` by step, `memory` the highest resident bytes by process, `comes_back` whether every row did."""

    seconds: dict[str, float]
    memory: dict[str, int]
    comes_back: bool


def measure(server: LabSqlServer, storage: LabStorage, megabytes: int) -> Measured:
    """Fill a database with `megabytes`, back it up to the store, verify it, drop it and restore it."""
    database = server.new_database()
    url = f"s3://127.0.0.1:{storage.settings.storage_port}/{storage.bucket}/{storage.new_prefix()}"
    secret = f"{storage.settings.access_key}:{storage.settings.secret_key}"
    server.run(f"CREATE CREDENTIAL [{url}] WITH IDENTITY = N'S3 Access Key', SECRET = N'{secret}'")
    _fill(server, database, megabytes)
    before = _state(server, database)
    seconds = {}
    for step, statement in {
        "backup": f"BACKUP DATABASE [{database}] TO URL = N'{url}full.bak' WITH CHECKSUM, STATS = 10",
        "verify": f"RESTORE VERIFYONLY FROM URL = N'{url}full.bak' WITH CHECKSUM",
        "restore": f"RESTORE DATABASE [{database}] FROM URL = N'{url}full.bak' WITH REPLACE, CHECKSUM, STATS = 10",
    }.items():
        began = time.monotonic()
        server.run(statement)
        seconds[step] = time.monotonic() - began
    memory = {name: _highest_memory(each.pid) for name, each in (("SQL Server", server), ("S3", storage))}
    return Measured(seconds, memory, _state(server, database) == before)


def _fill(server: LabSqlServer, database: str, megabytes: int) -> None:
    server.run("CREATE TABLE t (id INT IDENTITY(1,1) PRIMARY KEY, b VARBINARY(MAX))", database=database)
    rows, wanted = 100, megabytes * _MEGABYTE // _ROW
    with server.connect(database) as connection, connection.cursor() as cursor:
        block = bytes(range(256)) * (_ROW // 256)
        for _ in range(rows):
            cursor.execute("INSERT INTO t (b) VALUES (%s)", (block,))
        while rows < wanted:
            some = min(rows, wanted - rows, 500)
            cursor.execute(f"INSERT INTO t (b) SELECT b FROM t WHERE id <= {some}")  # noqa: S608 - a number of ours
            rows += some


def _state(server: LabSqlServer, database: str) -> list[tuple[int, ...]]:
    """All rows by number and length, and some by every byte."""
    sizes = server.run("SELECT COUNT(*), MAX(id), SUM(LEN(b)) FROM t", database=database)
    some = "SELECT CHECKSUM_AGG(BINARY_CHECKSUM(b)) FROM t WHERE id % 50 = 1"
    return sizes + server.run(some, database=database)


def _highest_memory(pid: int) -> int:
    """The highest resident memory, in bytes, that the process or any of its children ever had."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return max(_peak(process.pid) for process in processes)


def _peak(pid: int) -> int:
    """VmHWM of proc(5), in bytes."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        settings = new_settings(Path(folder))
        with LabStorage(settings) as storage, LabSqlServer(settings) as server:
            measured = measure(server, storage, megabytes)
    for step, seconds in measured.seconds.items():
        print(f"{step:8} {seconds:6.1f} s  {megabytes / seconds:6.1f} MB/s")
    for name, size in measured.memory.items():
        print(f"{name}: {size / _MEGABYTE:.0f} MB of memory at most")
    print("every row came back" if measured.comes_back else "ROWS ARE MISSING")


if __name__ == "__main__":
    main()
