"""What the parts of a recovery point are called; DAG files name them, and load nothing else for it."""

from __future__ import annotations

from enum import StrEnum


class PartName(StrEnum):
    """Names of the parts, as manifests, tags and messages have them, in the order in which they are made."""

    WEB_SNAPSHOT = "web_snapshot"
    DB_SNAPSHOT = "db_snapshot"
    BAK = "bak"


class SnapshotRole(StrEnum):
    """Which volume of the tenant a snapshot shows; the value is the part's name in manifests and tags."""

    WEB = PartName.WEB_SNAPSHOT
    DATABASE = PartName.DB_SNAPSHOT
