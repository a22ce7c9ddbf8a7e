"""What an operator asks of a restore: the form, checked before anything else is looked at."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationError, model_validator

from include.rules.errors import ConfigurationError
from include.rules.points.requests import parse_moment
from include.rules.register.register import explain
from include.rules.register.tenants import DatabaseName, OwnFolder, Strict, TenantId
from include.rules.restore.scope import DatabaseSource as DatabaseSource
from include.rules.restore.scope import RestoreScope as RestoreScope

MOST_PATHS = 200

LONGEST_PATHS = 16_000
"""Bytes of all chosen paths together. They travel inside the script, and Systems Manager takes no command above 64 KB
(SendCommand, MaxDocumentSizeExceeded); Windows takes no variable above 32,767 characters."""


def _relative_path(value: str) -> str:
    path = PurePosixPath(value.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", value)
    if outside or not path.parts or any(ord(character) < 32 for character in value):
        raise ValueError(f"{value!r} is not a path below the tenant's folder (relative, without '..')")
    # A name on Linux may have backslashes in it: the plan, which knows the host, makes slashes of them on Windows.
    return str(PurePosixPath(value))


def _none_for_nothing(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


def _empty_for_none(value: object) -> object:
    return () if value is None else value


RelativePath = Annotated[str, AfterValidator(_relative_path)]
EmptyIsNone = BeforeValidator(_none_for_nothing)


def is_restore_id(name: str) -> bool:
    """True for what `RestoreRequest.restore_id` may be: people put other things beside the records."""
    return re.fullmatch(r"[a-z0-9-]+-restore-[0-9]{8}T[0-9]{6}Z", name) is not None


class RestoreRequest(Strict):
    """The form of the restore DAG; what is left empty is in place.

    Attributes:
        tenant: Whose recovery point comes back.
        recovery_point: Its id; empty for the newest verified one that is no safety point.
        what: Which halves of it.
        into_tenant: Another tenant whose place it goes to; empty for the tenant's own.
        folder: Another folder on the web host; empty for the tenant's own, which is overwritten.
        database: Another name on the server; empty for the tenant's own database, which is overwritten.
        database_from: What the database is brought back from.
        paths: Only these files and folders, relative to the tenant's folder; empty for all.
        approval: True when somebody has to approve the preview before anything is touched.
        confirm: The name of the tenant whose place it goes to, typed again.
        moment: When it was asked, the restore's own slot.
    """

    tenant: TenantId
    recovery_point: Annotated[str | None, EmptyIsNone] = None
    what: RestoreScope = RestoreScope.BOTH
    into_tenant: Annotated[TenantId | None, EmptyIsNone] = None
    folder: Annotated[OwnFolder | None, EmptyIsNone] = None
    database: Annotated[DatabaseName | None, EmptyIsNone] = None
    database_from: DatabaseSource = DatabaseSource.BACKUP_FILE
    paths: Annotated[tuple[RelativePath, ...], BeforeValidator(_empty_for_none)] = Field((), max_length=MOST_PATHS)
    approval: bool = False
    confirm: str
    moment: AwareDatetime

    @model_validator(mode="after")
    def _says_one_thing(self) -> RestoreRequest:
        if not self.takes_files and (self.folder or self.paths):
            raise ValueError("folder and paths are about files, and only the database was asked for")
        size = sum(len(path.encode()) + 1 for path in self.paths)
        if size > LONGEST_PATHS:
            raise ValueError(
                f"the chosen paths have {size:,} bytes, and a host is told {LONGEST_PATHS:,} at most: name the "
                "folders that hold them, or restore some at a time"
            )
        if not self.takes_database and self.database:
            raise ValueError("a database name was given, and only files were asked for")
        if self.confirm != self.target:
            raise ValueError(
                f"the confirmation {self.confirm!r} does not repeat {self.target!r}, the tenant whose place it goes to"
            )
        return self

    @property
    def target(self) -> str:
        """The tenant whose place the restore goes to."""
        return self.into_tenant or self.tenant

    @property
    def takes_files(self) -> bool:
        """True when files come back."""
        return self.what in (RestoreScope.BOTH, RestoreScope.FILES)

    @property
    def takes_database(self) -> bool:
        """True when the database comes back."""
        return self.what in (RestoreScope.BOTH, RestoreScope.DATABASE)

    @property
    def restore_id(self) -> str:
        """Id of the restore, for instance `acme-restore-20261123T101502Z`."""
        return f"{self.target}-restore-{self.moment:%Y%m%dT%H%M%SZ}"

    @classmethod
    def parse(cls, form: str, moment: str) -> RestoreRequest:
        """Read the form.

        Args:
            form: The parameters of the DAG run as a JSON object.
            moment: When the run was started, ISO 8601.

        Raises:
            ConfigurationError: when a field cannot be used; the message names it.
        """
        try:
            fields: Any = json.loads(form)
            return cls.model_validate_json(json.dumps({**fields, "moment": parse_moment(moment).isoformat()}))
        except (ValidationError, ValueError, TypeError) as error:
            reason = explain(error) if isinstance(error, ValueError) else str(error)
            raise ConfigurationError(
                f"The form of this restore cannot be used: {reason}.",
                why="Nothing was restored.",
                todo="Start the restore again with what the message asks for.",
            ) from error
