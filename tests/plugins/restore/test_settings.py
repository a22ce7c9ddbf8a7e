"""What lies around a database's data comes back with it, or is named: foretold in the preview, looked at in check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from include.rules.errors import RefusedError
from include.rules.points.transitions import State
from include.rules.restore.record import CHECK, RESTORE_DATABASE
from perennial.restore.database import RestoreDatabaseTrigger
from tests.support.logins import PASSWORD, ReadmeLogin
from tests.support.restores import database, record
from tests.support.steps import CHAIN, RESTORE, TODAY, steps_until
from tests.support.world import World

pytestmark = pytest.mark.lab

AROUND = "SELECT is_broker_enabled, is_trustworthy_on, is_db_chaining_on, is_cdc_enabled, SUSER_SNAME(owner_sid)"
FROM_SNAPSHOT = {"what": "database", "database_from": "snapshot"}


def around(world: World, name: str = "") -> tuple[Any, ...]:
    """The settings around a database's data, as its server has them."""
    return world.sql.run(f"{AROUND} FROM sys.databases WHERE name = N'{name or database(world)}'")[0]


def said(world: World, step: str, **form: Any) -> str:
    (message,) = [done.message for done in record(world, **form).steps if done.name == step]
    return message


@pytest.fixture
def switched_on(world: World) -> World:
    """A tenant whose database has all that a restore loses, and one verified recovery point of it."""
    name, owner = database(world), f"owner_{uuid4().hex[:8]}"
    world.sql.run(
        f"CREATE LOGIN [{owner}] WITH PASSWORD = N'{PASSWORD}'",
        *(f"ALTER DATABASE [{name}] SET {option}" for option in ("ENABLE_BROKER", "TRUSTWORTHY ON", "DB_CHAINING ON")),
        f"ALTER AUTHORIZATION ON DATABASE::[{name}] TO [{owner}]",
    )
    world.sql.run("EXEC sys.sp_cdc_enable_db", database=name)
    assert world.back_up(TODAY).state is State.VERIFIED
    return world


@pytest.mark.parametrize("form", [{"what": "database"}, FROM_SNAPSHOT], ids=["from the .bak", "from the snapshot"])
def test_in_place_all_of_it_is_as_the_recovery_point_says(switched_on: World, form: dict[str, str]) -> None:
    before = around(switched_on)
    switched_on.sql.run(f"ALTER DATABASE [{database(switched_on)}] SET TRUSTWORTHY OFF")
    switched_on.restore(**form)
    assert around(switched_on) == before
    preview, jobs = record(switched_on, **form).preview, "EXEC sys.sp_cdc_add_job N'capture'"
    assert "meant to be again as the recovery point says: TRUSTWORTHY (on, now off)" in preview
    put_back = "Put back: Service Broker, DB_CHAINING, TRUSTWORTHY, the owner."
    assert put_back in said(switched_on, RESTORE_DATABASE, **form)
    assert (jobs in said(switched_on, CHECK, **form)) is (jobs in preview) is (form is FROM_SNAPSHOT)


def test_beside_the_original_the_copy_has_all_of_it_too_and_the_original_keeps_its_own(switched_on: World) -> None:
    before, copy = around(switched_on), "copy_of_the_shop"
    switched_on.restore(what="database", database=copy)
    assert around(switched_on, copy) == around(switched_on) == before


def test_an_older_point_that_says_nothing_brings_back_what_the_database_has(switched_on: World) -> None:
    before = around(switched_on)
    version = switched_on.runner.run(switched_on.vault.points.get("acme", switched_on.manifest(TODAY).id))
    assert version
    older = version.value.model_copy(update={"database_settings": None})
    switched_on.runner.run(switched_on.vault.points.replace(older, version.etag))
    switched_on.restore(what="database")
    assert around(switched_on) == before
    assert "The recovery point does not say" in record(switched_on, what="database").preview


@pytest.fixture
def readme_login(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadmeLogin]:
    """Perennial signs in with the login that the README's statements make, and has no other right."""
    login = ReadmeLogin.make(world.sql, database(world))
    login.sign_in(monkeypatch)
    yield login
    login.drop()


def test_a_backup_and_every_kind_of_restore_need_no_more_than_the_readmes_login(
    world: World, readme_login: ReadmeLogin
) -> None:
    before = world.rows("acme")
    assert world.back_up(TODAY).state is State.VERIFIED
    for number, form in enumerate(({}, {"what": "database", "database": "beside_it"}, FROM_SNAPSHOT)):
        world.sql.run("DELETE FROM dbo.orders WHERE id > 20", database=database(world))
        moment, came_back = f"2026-11-23T1{number}:00:00Z", form.get("database", database(world))
        world.restore(**form, moment=moment)
        assert world.sql.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=came_back) == before
        assert "no login" not in said(world, CHECK, **form, moment=moment)


def test_what_the_login_may_not_put_back_is_foretold_and_named_with_its_statement(
    switched_on: World, readme_login: ReadmeLogin
) -> None:
    owner, name = around(switched_on)[4], database(switched_on)
    switched_on.restore(what="database")
    assert around(switched_on) == (True, False, False, True, readme_login.name)
    statements = (
        f"ALTER DATABASE [{name}] SET TRUSTWORTHY ON",
        f"ALTER DATABASE [{name}] SET DB_CHAINING ON",
        f"ALTER AUTHORIZATION ON DATABASE::[{name}] TO [{owner}]",
    )
    check, preview = said(switched_on, CHECK, what="database"), record(switched_on, what="database").preview
    assert [statement for statement in statements if statement not in check or statement not in preview] == []
    switched_on.sql.run(*statements)
    assert around(switched_on) == (True, True, True, True, owner)


def test_a_setting_that_is_refused_fails_no_restore_and_check_names_it(switched_on: World) -> None:
    name = database(switched_on)
    switched_on.carry_out(steps_until(RestoreDatabaseTrigger), what="database")
    aside = f"{name}_aside"
    switched_on.sql.run(f"ALTER DATABASE [{name}] MODIFY NAME = [{aside}]", f"ALTER DATABASE [{aside}] SET ONLINE")
    switched_on.carry_out(RESTORE[[step for step, _ in RESTORE].index(RestoreDatabaseTrigger) :], what="database")
    assert "Not put back: Service Broker (SQL Server error 9772" in said(switched_on, RESTORE_DATABASE, what="database")
    check = said(switched_on, CHECK, what="database")
    assert "Service Broker was on and is off" in check
    assert f"ALTER DATABASE [{name}] SET ENABLE_BROKER" in check


def test_who_may_not_see_logins_is_told_so_and_no_user_is_called_orphaned(
    world: World, readme_login: ReadmeLogin
) -> None:
    world.sql.run(f"REVOKE VIEW ANY DEFINITION FROM [{readme_login.name}]")
    other = ReadmeLogin.make(world.sql, database(world))
    world.back_up(TODAY)
    world.restore(what="database")
    check = said(world, CHECK, what="database")
    assert "Nobody knows which of its users have no login" in check
    assert "GRANT VIEW ANY DEFINITION TO" in check
    assert other.name not in check


def test_a_backup_of_an_encrypted_database_says_what_every_restore_of_it_takes(world: World) -> None:
    certificate = world.sql.encrypt(database(world))
    results = [world.run(step, TODAY) for step in CHAIN]
    settings = world.manifest(TODAY).database_settings
    assert settings
    assert settings.encryption
    assert (settings.encryption.certificate, len(settings.encryption.thumbprint)) == (certificate, 40)
    assert f"without the certificate {certificate} with the thumbprint" in results[-1]["message"]
    assert "never been backed up" in results[-1]["message"]


@pytest.mark.parametrize(
    ("form", "is_recorded"),
    [({"what": "database"}, True), (FROM_SNAPSHOT, True), ({"what": "database"}, False)],
    ids=["from the .bak", "from the snapshot", "from the .bak of an older point"],
)
def test_a_server_without_the_certificate_is_refused_before_anything_is_touched(
    world: World, form: dict[str, str], is_recorded: bool
) -> None:
    certificate = world.sql.encrypt(database(world))
    manifest = world.back_up(TODAY)
    if not is_recorded:
        version = world.runner.run(world.vault.points.get("acme", manifest.id))
        assert version
        older = version.value.model_copy(update={"database_settings": None})
        world.runner.run(world.vault.points.replace(older, version.etag))
    world.sql.drop_database(database(world))
    world.sql.run(f"DROP CERTIFICATE [{certificate}]")
    with pytest.raises(RefusedError, match="is encrypted, and sql_server_lab does not have the certificate"):
        world.run_restore_step(RESTORE[0], **form)
    assert world.restore_record(**form) is None
