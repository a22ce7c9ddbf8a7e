"""What `check_register` finds on a tenant's database server, long before a restore would."""

from __future__ import annotations

import pytest

from include.rules.register.findings import Finding, Weight
from perennial.hooks.register import read_register
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.rights import RIGHTS
from perennial.register_check.sql_server import check_database_server
from tests.support.logins import ReadmeLogin
from tests.support.restores import database
from tests.support.world import World

pytestmark = pytest.mark.lab


def findings(world: World) -> list[Finding]:
    register = world.runner.run(read_register(world.vault.settings))
    return list(world.runner.run(check_database_server(register.tenant("acme"), world.vault.settings)))


def sign_in(world: World, monkeypatch: pytest.MonkeyPatch, but_for: str = "") -> str:
    login = ReadmeLogin.make(world.sql, database(world), but_for=but_for)
    login.sign_in(monkeypatch)
    return login.name


def test_nothing_is_found_of_a_plain_database_and_an_administrator(world: World) -> None:
    assert findings(world) == []


def test_each_right_that_the_login_lacks_is_found_with_its_statement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for right in RIGHTS:
        login = sign_in(world, monkeypatch, but_for=right.grant.replace("<login>", "[perennial]"))
        lacks = [finding for finding in findings(world) if finding.weight is Weight.DIFFERENCE]
        assert [right.name in finding.fact for finding in lacks] == [True]
        assert lacks[0].todo.startswith(right.grant.replace("<login>", tsql.name(login)))


def test_settings_that_no_restore_with_this_login_puts_back_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = database(world)
    world.sql.run(f"ALTER DATABASE [{name}] SET TRUSTWORTHY ON", f"ALTER DATABASE [{name}] SET ENABLE_BROKER")
    assert findings(world) == []
    sign_in(world, monkeypatch)
    trust, owner = findings(world)
    assert trust.todo == f"After each restore: ALTER DATABASE [{name}] SET TRUSTWORTHY ON."
    assert (
        owner.todo
        == f"After each restore: ALTER AUTHORIZATION ON DATABASE::[{name}] TO [{world.sql.settings.sql_user}]."
    )


def test_an_encrypted_database_is_found_with_its_certificate(world: World) -> None:
    certificate = world.sql.encrypt(database(world))
    (finding,) = findings(world)
    assert finding.weight is Weight.NOTE
    assert f"can be restored on no server without the certificate {certificate}" in finding.fact
    assert "never been backed up" in finding.todo


def test_a_database_that_is_not_there_is_found(world: World) -> None:
    world.entries["acme"]["database"]["name"] = "misspelt"
    world.write_register()
    (finding,) = findings(world)
    assert finding.register == "database.name is misspelt"
