"""Settings around a database's data on the lab's SQL Server: read, lost by a restore, put back, or refused."""

from __future__ import annotations

from uuid import uuid4

import pytest

from include.rules.points.database_settings import DatabaseSettings
from include.rules.restore.settings import differences
from perennial.hooks.sql_server.database_settings import PutBack, put_back, read_settings
from perennial.hooks.sql_server.restore import restore_as_new, restore_over
from perennial.hooks.sql_server.users import orphaned_users
from tests.support.databases import DatabasesUnderTest
from tests.support.logins import ReadmeLogin

pytestmark = pytest.mark.lab

ALL_LOST = ["broker", "db_chaining", "trustworthy", "owner"]


@pytest.fixture
def owner(databases: DatabasesUnderTest) -> str:
    name = f"owner_{uuid4().hex[:8]}"
    databases.server.run(f"CREATE LOGIN [{name}] WITH PASSWORD = N'S3cret-Passw0rd'")
    return name


@pytest.fixture
def switched_on(databases: DatabasesUnderTest, owner: str) -> str:
    """A database that has all that can be switched on, and an owner of its own."""
    name = databases.make()
    options = ("ENABLE_BROKER", "TRUSTWORTHY ON", "DB_CHAINING ON", "COMPATIBILITY_LEVEL = 150")
    databases.server.run(*(f"ALTER DATABASE [{name}] SET {option}" for option in options))
    databases.server.run(f"ALTER AUTHORIZATION ON DATABASE::[{name}] TO [{owner}]")
    databases.server.run("EXEC sys.sp_cdc_enable_db", database=name)
    return name


def settings(databases: DatabasesUnderTest, name: str) -> DatabaseSettings:
    found, _ = databases.talk(read_settings, name)
    assert isinstance(found, DatabaseSettings)
    return found


def lost(wanted: DatabaseSettings, actual: DatabaseSettings) -> list[str]:
    return [difference.setting.field for difference in differences(wanted, actual)]


def fields(result: PutBack) -> list[str]:
    return [setting.field for setting in result.done]


def test_what_lies_around_the_data_is_read(databases: DatabasesUnderTest, switched_on: str, owner: str) -> None:
    found = settings(databases, switched_on)
    assert (found.broker, found.trustworthy, found.db_chaining, found.cdc, found.owner) == (
        True,
        True,
        True,
        True,
        owner,
    )
    assert (found.compatibility_level, found.recovery_model, found.encryption) == (150, "FULL", None)


def test_of_a_database_that_is_not_there_the_server_alone_is_known(databases: DatabasesUnderTest) -> None:
    found, server = databases.talk(read_settings, "nobody's [database]")
    assert found is None
    assert (server.controls_server, server.login) == (True, databases.server.settings.sql_user)


def test_what_a_restore_over_a_database_loses_is_put_back_once(databases: DatabasesUnderTest, switched_on: str) -> None:
    wanted, urls = settings(databases, switched_on), databases.back_up(switched_on)
    databases.talk(restore_over, switched_on, urls, stem="acme_1", keep_cdc=True)
    assert lost(wanted, settings(databases, switched_on)) == ALL_LOST
    assert fields(databases.talk(put_back, switched_on, wanted, is_copy=False)) == ALL_LOST
    assert settings(databases, switched_on) == wanted
    assert databases.talk(put_back, switched_on, wanted, is_copy=False) == PutBack()


def test_a_copy_beside_gets_a_broker_of_its_own(databases: DatabasesUnderTest, switched_on: str) -> None:
    wanted, urls, copy = settings(databases, switched_on), databases.back_up(switched_on), f"{switched_on}_copy"
    databases.talk(restore_as_new, copy, urls, stem=copy, keep_cdc=True)
    assert fields(databases.talk(put_back, copy, wanted, is_copy=True)) == ALL_LOST
    assert settings(databases, copy) == wanted
    ids = {
        databases.server.run(f"SELECT service_broker_guid FROM sys.databases WHERE name = N'{name}'")[0][0]
        for name in (switched_on, copy)
    }
    assert len(ids) == 2


def test_without_keeping_it_a_copy_has_no_change_data_capture(databases: DatabasesUnderTest, switched_on: str) -> None:
    wanted, urls, copy = settings(databases, switched_on), databases.back_up(switched_on), f"{switched_on}_copy"
    databases.talk(restore_as_new, copy, urls, stem=copy)
    assert "cdc" in lost(wanted, settings(databases, copy))
    assert "cdc" not in fields(databases.talk(put_back, copy, wanted, is_copy=True))


def test_a_broker_whose_id_another_database_uses_by_now_is_refused_and_the_rest_is_put_back(
    databases: DatabasesUnderTest, switched_on: str
) -> None:
    wanted, urls, aside = settings(databases, switched_on), databases.back_up(switched_on), f"{switched_on}_aside"
    databases.server.run(f"ALTER DATABASE [{switched_on}] MODIFY NAME = [{aside}]")
    databases.talk(restore_over, switched_on, urls, stem="acme_1")
    result = databases.talk(put_back, switched_on, wanted, is_copy=False)
    assert fields(result) == ALL_LOST[1:]
    ((setting, reason),) = result.refused
    assert setting.field == "broker"
    assert "9772" in reason


def test_an_owner_whose_login_is_gone_by_now_is_refused_and_the_rest_is_put_back(
    databases: DatabasesUnderTest, switched_on: str, owner: str
) -> None:
    wanted, urls = settings(databases, switched_on), databases.back_up(switched_on)
    databases.talk(restore_over, switched_on, urls, stem="acme_1")
    databases.server.run(f"DROP LOGIN [{owner}]")
    result = databases.talk(put_back, switched_on, wanted, is_copy=False)
    assert fields(result) == ALL_LOST[:-1]
    assert [setting.field for setting, _ in result.refused] == ["owner"]


def test_a_user_who_is_inside_is_put_out_for_the_broker(databases: DatabasesUnderTest, switched_on: str) -> None:
    wanted, urls = settings(databases, switched_on), databases.back_up(switched_on)
    databases.talk(restore_over, switched_on, urls, stem="acme_1")
    with databases.server.connect(switched_on):
        assert "broker" in fields(databases.talk(put_back, switched_on, wanted, is_copy=False))


@pytest.fixture
def readme_login(databases: DatabasesUnderTest, switched_on: str) -> ReadmeLogin:
    return ReadmeLogin.make(databases.server, switched_on)


def test_a_login_that_does_not_control_the_server_leaves_trust_and_the_owner_alone(
    databases: DatabasesUnderTest, switched_on: str, readme_login: ReadmeLogin
) -> None:
    wanted, urls = settings(databases, switched_on), databases.back_up(switched_on)
    with databases.session(login=readme_login.connect_options) as session:
        restore_over(session, switched_on, urls, stem="acme_1", keep_cdc=True)
        result = put_back(session, switched_on, wanted, is_copy=False)
    assert (fields(result), result.refused) == (["broker"], ())
    left = ["db_chaining", "trustworthy", "owner"]
    assert lost(wanted, settings(databases, switched_on)) == left


def test_users_without_a_login_are_told_by_who_may_see_logins_and_by_nobody_else(
    databases: DatabasesUnderTest, switched_on: str, readme_login: ReadmeLogin
) -> None:
    blind = ReadmeLogin.make(databases.server, databases.make(), but_for="VIEW ANY DEFINITION")
    databases.server.run(
        f"CREATE USER [{blind.name}] FOR LOGIN [{blind.name}]",
        f"ALTER ROLE [db_owner] ADD MEMBER [{blind.name}]",
        database=switched_on,
    )
    with databases.session(login=readme_login.connect_options) as session:
        assert orphaned_users(session, switched_on) == ()
    with databases.session(login=blind.connect_options) as session:
        assert orphaned_users(session, switched_on) is None
    readme_login.drop()
    orphans = databases.talk(orphaned_users, switched_on)
    assert [orphan.name for orphan in orphans] == [readme_login.name]


def test_the_certificate_of_an_encrypted_database_is_read_and_whether_its_key_was_ever_saved(
    databases: DatabasesUnderTest,
) -> None:
    name = databases.make()
    certificate = databases.server.encrypt(name, on=False)
    key = settings(databases, name).encryption
    assert key
    assert (key.is_on, key.certificate, key.key_backed_up_at) == (False, certificate, None)
    assert "has never been backed up" in key.warning
    databases.server.run(
        f"ALTER DATABASE [{name}] SET ENCRYPTION ON",
        f"BACKUP CERTIFICATE [{certificate}] TO FILE = N'{certificate}.cer' "
        f"WITH PRIVATE KEY (FILE = N'{certificate}.key', ENCRYPTION BY PASSWORD = N'secret')",
    )
    key = settings(databases, name).encryption
    assert key
    assert key.is_on
    assert "Keep a backup of it" in key.warning
    _, server = databases.talk(read_settings, name, key)
    assert server.has_encryptor
    _, server = databases.talk(read_settings, name, key.model_copy(update={"thumbprint": "AB" * 20}))
    assert not server.has_encryptor


def test_encryption_is_known_also_to_who_may_not_see_its_key(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    databases.server.encrypt(name)
    blind = ReadmeLogin.make(databases.server, name, but_for="VIEW SERVER STATE")
    with databases.session(login=blind.connect_options) as session:
        found, _ = read_settings(session, name)
    assert found
    assert found.encryption
    assert "a certificate that the connection's login may not see" in found.encryption.warning
