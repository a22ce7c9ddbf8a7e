"""`python -m lab shell`: a shell on a lab host, or a prompt at the lab's SQL Server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

import pymssql

from lab.cloud.hosts import host_environment
from lab.load_sql import server_message
from lab.settings import LabSettings
from lab.sql_client import connect
from lab.sqlserver.tsql.script import RepetitionError, ends_with_go, split_batches

PROMPT = "sql> "


def host_shell(settings: LabSettings, instance_id: str) -> int:
    """Run bash on a host, with the host tools (mount, lsblk...) in PATH; its exit code.

    Raises:
        LookupError: there is no such host.
    """
    hosts = {path.name: path for path in sorted((settings.state / "cloud" / "hosts").glob("i-*"))}
    if instance_id not in hosts:
        known = ", ".join(hosts) or "none: run `python -m lab seed` first"
        raise LookupError(f"There is no host {instance_id!r} in this lab. It has {known}.")
    folder = hosts[instance_id]
    environment = {**host_environment(folder), "PS1": f"{instance_id}:\\w$ ", "TERM": "dumb"}
    with _interrupts_left_to_the_shell():
        return subprocess.run(["/bin/bash", "--norc"], cwd=folder, env=environment, check=False).returncode


@contextmanager
def _interrupts_left_to_the_shell() -> Iterator[None]:
    """Ctrl-C reaches this process too: it must end a command in the shell, not the shell."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def sql_shell(settings: LabSettings, database: str, lines: Iterable[str] = sys.stdin, out: TextIO = sys.stdout) -> int:
    """Run the batches of `lines`, each as soon as its GO is read, and print rows, messages and errors.

    At a terminal each line is asked for with a prompt, where Ctrl-C ends the shell.

    Returns:
        1 if a batch failed, else 0.

    Raises:
        LookupError, ConnectionError: as `lab.sql_client.connect`.
    """
    failed = 0
    with connect(settings, database) as connection:
        pending = ""
        for line in _prompted(lines, out) if _is_terminal(lines) else [*lines, "GO\n"]:
            pending += line
            if not (line.lstrip()[:2].upper() == "GO" and ends_with_go(pending)):
                continue
            try:
                for batch in split_batches(pending):
                    failed |= _run(connection, batch.text, out)
            except RepetitionError as error:
                print(error, file=out)
                failed = 1
            pending = ""
    return failed


def _prompted(lines: Iterable[str], out: TextIO) -> Iterator[str]:
    print(PROMPT, end="", file=out, flush=True)
    for line in lines:
        yield line
        print(PROMPT, end="", file=out, flush=True)


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
        number, message = server_message(error)
        print(f"Msg {number}: {message}", file=out)
        return 1
