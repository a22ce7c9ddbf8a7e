"""What a backup says of itself, held against what was recorded when it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from include.rules.points.backup_files import BackupFilePart
from include.rules.points.manifest import Manifest


def header_differences(headers: Sequence[Mapping[str, Any]], manifest: Manifest, bak: BackupFilePart) -> list[str]:
    """In what a backup is not the one that was recorded; empty when it is that one.

    Args:
        headers: Rows of RESTORE HEADERONLY.
    """
    sets = {row["BackupSetGUID"] for row in headers}
    if len(sets) != 1:
        return [f"it shows {len(sets)} backup sets instead of one"]
    expected: dict[str, object] = {
        "DatabaseName": manifest.source.database.name,
        "BackupName": bak.name,
        "FirstLSN": Decimal(bak.first_lsn),
        "LastLSN": Decimal(bak.last_lsn),
        "IsDamaged": False,
    }
    header = {**headers[0], "IsDamaged": bool(headers[0]["IsDamaged"])}
    return [f"{key} is {header[key]}, not {value}" for key, value in expected.items() if header[key] != value]
