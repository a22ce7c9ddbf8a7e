"""Calls that the lab's servers have had, by name: `ec2:CreateSnapshot`, `s3:PutObject`, `sql:Backup`, `sql: sign-ins`.

The cloud, the storage and each SQL Server count for themselves. S3 requests that a SQL Server has made itself, for its
backups, are told apart: `s3:UploadPart by SQL Server`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
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
    """What a lab's servers are asked for from now on; what it takes to ask them is left out."""

    def __init__(self, settings: LabSettings, cloud_log: Path) -> None:
        self._settings, self._log = settings, cloud_log
        self._measures = LabMeasures(settings)
        self._log_start = cloud_log.stat().st_size if cloud_log.exists() else 0
        first = self._read()
        self._before = self._read()
        self._asking = self._before - first
        self._throttled = Counter(self._measures.throttled())

    def by_name(self) -> Counter[str]:
        """How many calls of each name there were."""
        return self._read() - self._before - self._asking

    def throttled(self) -> int:
        """How many of them were refused because a bucket of AWS's was empty."""
        return (Counter(self._measures.throttled()) - self._throttled).total()

    def busiest_minute(self, name: str) -> int:
        """How many calls of the cloud by that name fell into the minute with the most of them."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return busiest_minute(log.read().decode(errors="replace").splitlines(), name)

    def _read(self) -> Counter[str]:
        counts = Counter(self._measures.calls())
        for number in self._settings.sql_numbers:
            with (
                closing(pymssql.connect(database="master", **connect_arguments(self._settings, number))) as server,
                server.cursor() as cursor,
            ):
                cursor.execute(_SQL_COUNTERS)
                for name, which, value in cursor.fetchall():
                    counts[_SQL_NAMES.get(name, which)] += value
        return counts


def busiest_minute(lines: Iterable[str], name: str) -> int:
    """The most calls of that name in any one minute; lines of the log are `<time> lab.cloud <name> <status> ...`."""
    found = (_MINUTE.match(line) for line in lines)
    return max(Counter(each[1] for each in found if each and each[2] == name).values(), default=0)
