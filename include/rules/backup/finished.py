"""A backup that SQL Server has finished, as its own record in msdb tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from include.rules.points.backup_files import BackupFileClaim, BackupFilePart, StoredFile

QUARTER_HOUR = timedelta(minutes=15)

ZONES = range(-48, 57)
"""Quarters of an hour by which a server's clock may differ from UTC: from UTC-12 to UTC+14.

msdb has 127 where it does not know (learn.microsoft.com, backupset, `time_zone`).
"""


def finished_part(
    claim: BackupFileClaim, files: Sequence[StoredFile], record: Mapping[str, Any], now: datetime
) -> BackupFilePart:
    """The .bak that has come of a claim.

    Args:
        files: What the vault has of it.
        record: The row of `tsql.finished_backup`.
        now: When it is adopted, which may be long after its end.
    """
    return BackupFilePart(
        number=claim.number,
        files=tuple(files),
        name=claim.name,
        backup_set_uuid=str(record["backup_set_uuid"]),
        first_lsn=str(record["first_lsn"]),
        last_lsn=str(record["last_lsn"]),
        copy_only=bool(record["is_copy_only"]),
        started_at=claim.claimed_at,
        finished_at=finish_of(record) or now,
    )


def finish_of(record: Mapping[str, Any]) -> datetime | None:
    """When a backup was finished, in UTC, by the server's clock; None where it does not say.

    The server writes its local time, and how far that was from UTC then: since then its clocks may have been changed.
    How far it is now (`offset_minutes`) is only what is left where it does not know the one of then.
    """
    local: datetime | None = record["backup_finish_date"]
    if local is None:
        return None
    offset = timedelta(minutes=record["offset_minutes"])
    zone = record["time_zone"] if record["time_zone"] in ZONES else round(offset / QUARTER_HOUR)
    return local.replace(tzinfo=UTC) - zone * QUARTER_HOUR
