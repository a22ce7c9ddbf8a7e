"""The check of a tenant's database server: the rights of the connection's login, and what no restore brings back."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.points.database_settings import DatabaseSettings
from include.rules.register.findings import Finding, Weight
from include.rules.register.tenants import Tenant
from include.rules.restore.server_facts import ServerFacts
from include.rules.restore.settings import differences, expected_settings, may_put_back
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.database_settings import read_settings, remedy
from perennial.hooks.sql_server.rights import Right, missing_rights
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Session
from perennial.settings import Settings


async def check_database_server(tenant: Tenant, settings: Settings) -> Iterable[Finding]:
    """Which of its rights the login lacks, what of the database's settings it could not put back, and its encryption.

    Raises:
        SqlServerError: when the server does not answer.
    """
    name = tenant.database.name

    def look(session: Session) -> list[Finding]:
        found, server = read_settings(session, name)
        lacks = [_lack(right, server.login, name) for right in missing_rights(session, name)]
        if found is None:
            return [*lacks, _no_database(tenant)]
        return [*lacks, *_not_put_back(found, server, name), *_encryption(found)]

    return await SqlServer(tenant.database.connection, fresh=True).talk(look, pauses=settings.pauses)


def _lack(right: Right, login: str, database: str) -> Finding:
    statement = right.grant.replace("<login>", tsql.name(login))
    where = f" in database {database}, of which it has to be a user" if right.in_database else ""
    return Finding(
        Weight.DIFFERENCE,
        f"login {login} lacks {right.name}, which it takes for {right.purpose}",
        todo=f"{statement}{where}.",
    )


def _no_database(tenant: Tenant) -> Finding:
    fact = f"{tenant.database.connection} has no such database, or the login may not see it"
    todo = "Correct the name in tenants.yaml."
    return Finding(Weight.DIFFERENCE, fact, f"database.name is {tenant.database.name}", todo)


def _not_put_back(found: DatabaseSettings, server: ServerFacts, database: str) -> Iterable[Finding]:
    """What a restore in place would lose and this login could not put back."""
    for difference in differences(
        found, expected_settings(found, server, found.server, own_place=True, attached=False)
    ):
        if not may_put_back(difference.setting, server):
            statement = remedy(difference, database, found, is_copy=False)
            label = difference.setting.label
            fact = f"{label} is {difference.wanted}, and login {server.login} could not put it back after a restore"
            yield Finding(Weight.NOTE, fact, todo=f"After each restore: {statement}.")


def _encryption(settings: DatabaseSettings) -> Iterable[Finding]:
    if settings.encryption:
        fact, todo = settings.encryption.warning.removesuffix(".").split(". ", 1)
        yield Finding(Weight.NOTE, f"{fact[0].lower()}{fact[1:]}", todo=f"{todo}.")
