"""Tenants and plans: what the register says about each hosted application."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

TENANT_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


class Cadence(StrEnum):
    """How often a plan backs up by itself."""

    DAILY = "daily"
    HOURLY = "hourly"
    MIRROR = "mirror"


class Platform(StrEnum):
    """The operating system of a host; it decides which scripts run there."""

    LINUX = "linux"
    WINDOWS = "windows"


def _tenant_id(value: str) -> str:
    if not TENANT_ID.fullmatch(value):
        raise ValueError(
            "a tenant id is 1 to 40 lower-case letters, digits and hyphens, and starts and ends with a letter or digit"
        )
    return value


def _database_name(value: str) -> str:
    # Quotes and brackets are legal in SQL Server and quoted where they are used; these are not names at all.
    if not value.strip() or any(ord(character) < 32 for character in value):
        raise ValueError("a database name is not empty and holds no control characters")
    if value.lower() in {"master", "model", "msdb", "tempdb"}:
        raise ValueError(f"{value} is a system database: a tenant's database is one of its own")
    return value


def _absolute_path(value: str) -> str:
    path = PurePosixPath(value.replace("\\", "/"))
    absolute = path.is_absolute() or re.match(r"[A-Za-z]:[\\/]", value)
    if not absolute or ".." in path.parts or any(ord(character) < 32 for character in value):
        raise ValueError("a path is absolute and holds neither '..' nor control characters")
    # POSIX leaves open what two leading slashes mean; to compare paths they have to mean one.
    return re.sub(r"^/{2,}", "/", value)


def _own_folder(value: str) -> str:
    # A restore makes the folder the same as it was: whatever else lived there would be gone.
    path = PurePosixPath(value.replace("\\", "/"))
    if len(path.parts) < (3 if path.is_absolute() else 2):
        raise ValueError("a path is a folder of the tenant's own, never the root of a disk nor a top-level folder")
    return value


def _free_tag_key(value: str) -> str:
    if value.startswith(("aws:", "perennial:")):
        raise ValueError("a tag key that begins with 'aws:' or 'perennial:' is not the tenant's to set")
    return value


TenantId = Annotated[str, AfterValidator(_tenant_id)]
InstanceId = Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,17}$")]
VolumeId = Annotated[str, StringConstraints(pattern=r"^vol-[0-9a-f]{8,17}$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]
DatabaseName = Annotated[str, StringConstraints(max_length=128), AfterValidator(_database_name)]
AbsolutePath = Annotated[str, AfterValidator(_absolute_path)]
OwnFolder = Annotated[str, AfterValidator(_absolute_path), AfterValidator(_own_folder)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=127), AfterValidator(_free_tag_key)]
TagValue = Annotated[str, StringConstraints(max_length=256)]


class Strict(BaseModel):
    """Values that cannot be changed and refuse fields they do not know: a typing error is never silent.

    A field that is stored under another name than its own (an alias) is read under both and written under that one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)


class RetentionPolicy(Strict):
    """Which recovery points a plan keeps, and for how long; the defaults are the requirement document's.

    Attributes:
        daily: Days of which one daily point is kept: today and those before, `daily` in all.
        weekly, monthly, yearly: ISO weeks, months and years before the current one of which one daily point is kept;
            "all" years: for ever.
        manual: How many manual points of any age are kept: those that can be restored first, the newest before all.
        hourly_hours: Age in hours up to which hourly points are kept.
        safety_days: Age in days up to which the points are kept that a restore takes before it overwrites anything.
        grace_hours: Hours between a point's expiry and its deletion, in which it can be taken back.
        locked_days: Days for which a verified point's parts are locked where they are stored, so that nobody can delete
            them; 0 where nothing is locked.
    """

    daily: int = Field(default=30, ge=0, le=3660)
    weekly: int = Field(default=12, ge=0, le=520)
    monthly: int = Field(default=12, ge=0, le=600)
    yearly: Annotated[int, Field(ge=0, le=100)] | Literal["all"] = "all"
    manual: int = Field(default=10, ge=1, le=1000)
    hourly_hours: int = Field(default=48, ge=1, le=24 * 366)
    safety_days: int = Field(default=14, ge=1, le=3660)
    grace_hours: int = Field(default=24, ge=24, le=24 * 366)
    locked_days: int = Field(default=0, ge=0, le=3660)

    @model_validator(mode="after")
    def _keeps_something(self) -> RetentionPolicy:
        if not any((self.daily, self.weekly, self.monthly, self.yearly)):
            raise ValueError(
                "EMPTY_POLICY: daily, weekly, monthly and yearly are all 0, so that no daily recovery point would be "
                "kept; give at least one of them a number"
            )
        return self


class Plan(Strict):
    """What a tenant bought.

    Attributes:
        name: The plan's key in plans.yaml.
        cadence: How often it backs up by itself; every plan has at least the daily backup.
        manual_backups_per_month: How many backups an operator may take by hand in one calendar month (UTC).
        rpo_hours: Recovery point objective: the age in hours that the newest verified point should never exceed.
        restore_approval: Whether a restore waits until somebody has approved its preview.
        snapshot_window_minutes: How much older than its own beginning the snapshot of a shared volume may be that a
            daily backup joins; 0: only one that was asked for after it.
        allow_empty_folder: Whether a tenant's folder may be empty: a backup of an empty one fails otherwise.
        retention: Which of its recovery points are kept.
    """

    name: str
    cadence: Cadence
    manual_backups_per_month: int = Field(ge=0, le=1000)
    rpo_hours: int = Field(ge=1, le=24 * 31)
    restore_approval: bool = False
    snapshot_window_minutes: int = Field(default=15, ge=0, le=120)
    allow_empty_folder: bool = False
    retention: RetentionPolicy = RetentionPolicy()


class WebHost(Strict):
    """Where the tenant's web files live: `path` on the volume `volume`, attached to `instance` in `zone`.

    `mount` is where that volume shows on the host (its root); `path` is the tenant's folder, at or below `mount`.
    """

    instance: InstanceId
    volume: VolumeId
    zone: Zone
    mount: AbsolutePath
    path: OwnFolder
    platform: Platform = Platform.LINUX

    @model_validator(mode="after")
    def _path_on_volume(self) -> WebHost:
        if self.path_on_volume is None:
            raise ValueError(f"path {self.path} is not at or below mount {self.mount}, so it is not on the volume")
        return self

    @property
    def path_on_volume(self) -> str | None:
        """The tenant's folder as seen from the volume's root: "." for the root itself."""
        path, mount = (PurePosixPath(value.replace("\\", "/")) for value in (self.path, self.mount))
        return str(path.relative_to(mount)) if path.is_relative_to(mount) else None


class DatabaseHost(Strict):
    """Where the tenant's database lives: `name` on the SQL Server behind the Airflow connection `connection`.

    `volume` holds the database's files, attached to `instance` in `zone`; several databases may share it. `mount` is
    where that volume shows on the host (its root): the database's physical paths lie below it. Without it, files cannot
    be brought back from a snapshot of the volume.
    """

    connection: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
    name: DatabaseName
    instance: InstanceId
    volume: VolumeId
    zone: Zone
    mount: AbsolutePath | None = None
    platform: Platform = Platform.LINUX


class Tenant(Strict):
    """One hosted application."""

    id: TenantId
    plan: Plan
    web: WebHost
    database: DatabaseHost
    suspended: bool = False
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=40)

    @property
    def hosts(self) -> tuple[WebHost, DatabaseHost]:
        """Where its two halves live."""
        return self.web, self.database
