"""The checks of the register: each looks at one thing that a backup or a restore of a tenant will need.

To add one: write a coroutine function that takes a tenant and the settings, changes nothing, and returns its findings;
then name it in CHECKS. An error that it raises becomes a finding, `not looked at`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from include.rules.errors import PerennialError
from include.rules.register.findings import Finding, Weight
from include.rules.register.tenants import Tenant
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.register_check.restorable import check_restorable
from perennial.register_check.sql_server import check_database_server
from perennial.register_check.volumes import check_volumes
from perennial.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """One check, by the name that the table of findings shows."""

    name: str
    look: Callable[[Tenant, Settings], Awaitable[Iterable[Finding]]]

    async def findings(self, tenant: Tenant, settings: Settings) -> tuple[Finding, ...]:
        """What it finds of the tenant; what kept it from looking is a finding, too."""
        try:
            return tuple(await self.look(tenant, settings))
        except PerennialError as error:
            return (Finding(Weight.NOT_LOOKED_AT, error.what, todo=error.todo),)
        except SqlServerError as error:
            return (Finding(Weight.NOT_LOOKED_AT, str(error), todo="Check the server and the Airflow connection."),)
        except Exception as error:  # what nobody has foreseen of one tenant keeps no other from being looked at
            log.exception("This is an error in Perennial itself: please report it with these lines.")
            fact = f"the check {self.name} has failed with {type(error).__name__}: {error}"
            return (Finding(Weight.NOT_LOOKED_AT, fact, todo="Report it with the lines of this task's log."),)


CHECKS: tuple[Check, ...] = (
    Check("volumes", check_volumes),
    Check("database server", check_database_server),
    Check("restorable", check_restorable),
)
