"""What a preview looks at before anything is touched: the hosts' half and the database's, side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from include.rules.points.manifest import Manifest
from include.rules.register.tenants import Tenant
from include.rules.restore.request import RestoreRequest
from include.rules.restore.survey import Survey
from perennial.hooks.vault.vault import Vault
from perennial.restore.database_survey import DatabaseSurveyor
from perennial.restore.host_survey import survey_host


@dataclass(frozen=True)
class Surveyor:
    """Looks at everything that one restore is about.

    Attributes:
        vault: Where the recovery point is.
        request: What was asked.
        point: The recovery point that was chosen.
        target: The tenant whose place it goes to.
        incarnation: Which incarnation of the preview looks: it ends its own reading, and no other's.
    """

    vault: Vault
    request: RestoreRequest
    point: Manifest
    target: Tenant
    incarnation: str

    async def survey(self) -> Survey:
        """Look at all of it, side by side.

        Raises:
            UnavailableError: when a host, the database server or AWS does not answer: then nothing can be restored
                there either.
        """
        try:
            async with asyncio.TaskGroup() as group:
                host = group.create_task(survey_host(self.vault.settings, self.request, self.point, self.target))
                database = group.create_task(self._database.survey())
        except ExceptionGroup as errors:
            raise _first(errors) from errors  # one refusal is enough; the others were cancelled for it
        return Survey(host.result(), database.result())

    async def stop(self) -> None:
        """End what SQL Server still reads for this survey."""
        await self._database.stop()

    @property
    def _database(self) -> DatabaseSurveyor:
        return DatabaseSurveyor(self.vault, self.request, self.point, self.target, self.incarnation)


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    """The first error of a group, also where it lies in a group of its own."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
