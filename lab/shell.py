"""`python -m lab shell`: a shell on a lab host, or a prompt at the lab's SQL Server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import TextIO

import pymssql

from lab.cloud.hosts import host_environment
from lab.load_sql import split_batches
from lab.seed.shop import connect_arguments
from lab.settings import LabSettings


def host_shell(settings: LabSettings, instance_id: str) -> int:
    """Run bash on a host, with the host tools (mount, lsblk...) in PATH; its exit code.

    Raises:
        LookupError: there is no such host.
    """
    hosts = settings.state / "cloud" / "hosts"
    folder = hosts / instance_id
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in hosts.glob("i-*"))) or "none: run `python -m lab seed` first"
        raise LookupError(f"There is no host {instance_id!r} in this lab. It has {known}.")
    environment = {**host_environment(folder), "PS1": f"{instance_id}:\\w$ ", "TERM": "dumb"}
    return subprocess.run(["/bin/bash", "--norc"], cwd=folder, env=environment, check=False).returncode


def sql_shell(settings: LabSettings, database: str, lines: Iterable[str] = sys.stdin, out: TextIO = sys.stdout) -> int:
    """Run the batches of `lines`, each as soon as its GO is read, and print rows, messages and errors.

    Returns:
        1 if a batch failed, else 0.
    """
    failed = 0
    with pymssql.connect(database=database, **connect_arguments(settings)) as connection:
        pending = ""
        for line in [*lines, "GO\n"] if not _is_terminal(lines) else lines:
            pending += line
            if line.strip().upper().split(" ")[0] != "GO":
                continue
            for batch in split_batches(pending):
                failed |= _run(connection, batch.text, out)
            pending = ""
    return failed


def _is_terminal(lines: Iterable[str]) -> bool:
    return bool(getattr(lines, "isatty", bool)())


def _run(connection: pymssql.Connection, batch: str, out: TextIO) -> int:
    cursor = connection.cursor()
    try:
        cursor.execute(batch)
        while True:
            if cursor.description:
                print(" | ".join(column[0] or "-" for column in cursor.description), file=out)
                for row in cursor:
                    print(" | ".join("NULL" if value is None else str(value) for value in row), file=out)
            if not cursor.nextset():
                return 0
    except pymssql.Error as error:
        number, message = (*error.args, "", "")[:2]
        text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
        print(f"Msg {number}: {text.strip()}", file=out)
        return 1
