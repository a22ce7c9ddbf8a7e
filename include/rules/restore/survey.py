"""What is found before a restore touches anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.rules.errors import RefusedError
from include.rules.points.manifest import Manifest
from include.rules.restore.database_survey import DatabaseSurvey
from include.rules.restore.host_survey import HostSurvey


@dataclass(frozen=True)
class Survey:
    """What was found before anything was touched, on the hosts and on the database server."""

    host: HostSurvey = field(default_factory=HostSurvey)
    database: DatabaseSurvey = field(default_factory=DatabaseSurvey)


def not_restorable(manifest: Manifest, reason: str, todo: str) -> RefusedError:
    """The error that says why a recovery point cannot be restored like this, and what could be done instead."""
    return RefusedError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} cannot be restored like this: {reason}.",
        why="Nothing was restored.",
        todo=todo,
    )
