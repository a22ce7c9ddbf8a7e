"""Requests for recovery points: who asks for which kind and slot, and the id that follows from it.

A request travels through Airflow as one string, `<tenant>|<kind>|<moment>`: the key of an asset partition, or a
template of a form's parameters. Every step derives the same recovery point id from it, so that steps pass nothing to
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import pendulum

from include.rules.errors import ConfigurationError
from include.rules.register.tenants import TENANT_ID


class Kind(StrEnum):
    """Why a recovery point was taken; an imported one was made before Perennial, and counts as a daily one."""

    DAILY = "daily"
    HOURLY = "hourly"
    MANUAL = "manual"
    SAFETY = "safety"
    IMPORTED = "imported"


SLOT_FORMATS = {
    Kind.DAILY: "%Y%m%d",
    Kind.HOURLY: "%Y%m%dT%H",
    Kind.MANUAL: "%Y%m%dT%H%M%SZ",
    Kind.SAFETY: "%Y%m%dT%H%M%SZ",
    Kind.IMPORTED: "%Y%m%dT%H%M%SZ",
}


@dataclass(frozen=True)
class BackupRequest:
    """One recovery point that somebody wants: of `tenant`, of `kind`, for `slot` (UTC, as `SLOT_FORMATS` writes it)."""

    tenant: str
    kind: Kind
    slot: str

    @property
    def recovery_point_id(self) -> str:
        """The id of the recovery point, for instance `acme-daily-20261123`."""
        return f"{self.tenant}-{self.kind}-{self.slot}"

    @classmethod
    def parse(cls, text: str) -> BackupRequest:
        """Read `<tenant>|<kind>|<moment>`, the moment in any ISO 8601 form (UTC where it names no zone).

        Raises:
            ConfigurationError: when the text is none; the message shows it.
        """
        parts = str(text).split("|")
        try:
            if len(parts) != 3:
                raise ValueError("it is not <tenant>|<kind>|<moment>")
            tenant, kind, moment = parts
            if not TENANT_ID.fullmatch(tenant):
                raise ValueError(f"{tenant!r} is not a tenant id")
            return cls(tenant, Kind(kind), slot(Kind(kind), parse_moment(moment)))
        except ValueError as error:
            raise ConfigurationError(
                f"{text!r} does not name a backup: {error}.",
                why="Nothing was done.",
                todo="Start the DAG from its form, with a tenant of the register.",
            ) from error


def slot(kind: Kind, moment: datetime) -> str:
    """The slot of `kind` that `moment` falls into, in UTC."""
    return moment.astimezone(UTC).strftime(SLOT_FORMATS[kind])


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date or date-time; without a zone it is UTC.

    Raises:
        ValueError: when it is neither.
    """
    try:
        parsed = pendulum.parse(text.strip(), tz="UTC", strict=True)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a date or time") from error
    if not isinstance(parsed, datetime):
        raise ValueError(f"{text!r} is not a date or time")
    return parsed.astimezone(UTC)


def daily_partition(tenant: str, day: date) -> str:
    """The key of the asset partition that asks for the tenant's daily recovery point of `day` (UTC)."""
    return f"{tenant}|{Kind.DAILY}|{day.isoformat()}"
