"""Calls that the lab's servers have had, by name: `ec2:CreateSnapshot`, `s3:PutObject`, `sql:Backup`, `sql: sign-ins`.

The cloud, the storage and each SQL Server count for themselves. S3 requests that a SQL Server has made itself, for its
backups, are told apart: `s3:UploadPart by SQL Server`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pymssql

from lab.faults.measures import LabMeasures
from lab.seed.shop import connect_arguments
from lab.settings import LabSettings

SIGN_INS, BATCHES = "sql: sign-ins", "sql: batches"
_SQL_COUNTERS = "SELECT counter_name, instance_name, cntr_value FROM sys.dm_os_performance_counters"
_SQL_NAMES = {"Logins/sec": SIGN_INS, "Batch Requests/sec": BATCHES}
_MINUTE = re.compile(r"^(\S+ \d\d:\d\d):\S+ lab\.cloud (\w+:\w+) \d+ ")


class LabCalls:
    """What a lab's servers are asked for from now on, until `close`; what it takes to ask them is left out."""

    def __init__(self, settings: LabSettings, cloud_log: Path) -> None:
        self._measures, self._log = LabMeasures(settings), cloud_log
        self._log_start = cloud_log.stat().st_size if cloud_log.exists() else 0
        # One connection for each server and all looks: how much a sign-in asks for besides differs from time to time.
        self._servers = [
            pymssql.connect(database="master", **connect_arguments(settings, number)) for number in settings.sql_numbers
        ]
        first = self._read()
        self._before = self._read()
        self._asking, self._times_asked = self._before - first, 0
        self._throttled = Counter(self._measures.throttled())

    def by_name(self) -> Counter[str]:
        """How many calls of each name there were."""
        self._times_asked += 1
        asking = Counter({name: count * self._times_asked for name, count in self._asking.items()})
        return self._read() - self._before - asking

    def throttled(self) -> int:
        """How many of them were refused because a bucket of AWS's was empty."""
        return (Counter(self._measures.throttled()) - self._throttled).total()

    def by_minute(self) -> dict[str, Counter[str]]:
        """The calls of the cloud by minute and name."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return by_minute(log.read().decode(errors="replace").splitlines())

    def close(self) -> None:
        """Leave the SQL Servers; nothing is counted any more."""
        for server in self._servers:
            server.close()

    def _read(self) -> Counter[str]:
        counts = Counter(self._measures.calls())
        for server in self._servers:
            with server.cursor() as cursor:
                cursor.execute(_SQL_COUNTERS)
                for name, which, value in cursor.fetchall():
                    counts[_SQL_NAMES.get(name, which)] += value
        return counts


def by_minute(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """Calls by minute and name; lines of the log are `<time> lab.cloud <name> <status> ...`."""
    minutes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        if found := _MINUTE.match(line):
            minutes[found[1]][found[2]] += 1
    return minutes


def busiest_minute(minutes: Mapping[str, Counter[str]], name: str) -> int:
    """The most calls of that name in any one minute."""
    return max((calls[name] for calls in minutes.values()), default=0)


def busiest_waiting_minute(minutes: Mapping[str, Counter[str]], name: str) -> int | None:
    """The same of the minutes in which the cloud had no other calls: who makes these waits; None without such a one."""
    return max((calls[name] for calls in minutes.values() if calls.keys() == {name}), default=None)
