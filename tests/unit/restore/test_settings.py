"""What a restore loses around a database's data, what it puts back, and which server cannot take the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.points.database_settings import DatabaseSettings, Encryption
from include.rules.points.manifest import Manifest
from include.rules.restore.server_facts import ServerFacts
from include.rules.restore.settings import (
    SETTINGS,
    check_server_takes,
    differences,
    expected_settings,
    is_own_place,
    keeps_cdc,
    may_put_back,
    wanted_settings,
)
from tests.unit.builders import database_settings, tenant, verified

SERVER = ServerFacts(edition="Standard Edition (64-bit)", login="perennial", sees_definitions=True)
ALL_ON = database_settings(
    broker=True, honors_broker_priority=True, trustworthy=True, db_chaining=True, cdc=True, replicated=True,
    master_key_by_server=True, owner="shop_owner", owner_sid="AB",
)  # fmt: skip
THUMBPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def lost(
    wanted: DatabaseSettings,
    server: ServerFacts = SERVER,
    name: str = "SQL-1",
    *,
    own_place: bool = True,
    attached: bool = False,
) -> list[str]:
    expected = expected_settings(wanted, server, name, own_place=own_place, attached=attached)
    return [difference.setting.field for difference in differences(wanted, expected)]


def recorded(settings: DatabaseSettings | None) -> Manifest:
    return verified().model_copy(update={"database_settings": settings})


def test_every_setting_of_the_table_is_a_field_and_every_field_is_in_it_or_said_elsewhere() -> None:
    fields = {setting.field for setting in SETTINGS}
    assert fields == set(DatabaseSettings.model_fields) - {"server", "owner_sid", "encryption"}


def test_a_database_with_nothing_switched_on_loses_its_owner_alone() -> None:
    assert lost(database_settings()) == ["owner"]
    assert lost(database_settings(), replace(SERVER, login="SA")) == []


@pytest.mark.parametrize(
    ("name", "where", "also"),
    [
        ("SQL-1", {}, []),
        ("SQL-1", {"own_place": False}, ["replicated"]),
        ("SQL-1", {"attached": True}, ["replicated"]),
        ("SQL-2", {}, ["replicated", "master_key_by_server"]),
    ],
    ids=["in place", "beside", "from the snapshot", "on another server"],
)
def test_more_is_lost_the_farther_it_goes(name: str, where: dict[str, bool], also: list[str]) -> None:
    assert lost(ALL_ON, SERVER, name, **where) == [
        "broker", "honors_broker_priority", "db_chaining", "trustworthy", "owner", *also
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edition", "is_kept"),
    [
        ("Standard Edition (64-bit)", True),
        ("Enterprise Edition: Core-based Licensing (64-bit)", True),
        ("Developer Edition (64-bit)", True),
        ("Express Edition (64-bit)", False),
        ("Express Edition with Advanced Services (64-bit)", False),
        ("Web Edition (64-bit)", False),
    ],
)
def test_change_data_capture_is_kept_where_the_edition_takes_it(edition: str, is_kept: bool) -> None:
    assert keeps_cdc(ALL_ON, replace(SERVER, edition=edition)) is is_kept
    assert ("cdc" in lost(ALL_ON, replace(SERVER, edition=edition))) is not is_kept
    assert not keeps_cdc(database_settings(), replace(SERVER, edition=edition))


def test_only_who_controls_the_server_puts_back_what_reaches_beyond_the_database() -> None:
    by_anybody = [setting.field for setting in SETTINGS if may_put_back(setting, SERVER)]
    by_administrator = [s.field for s in SETTINGS if may_put_back(s, replace(SERVER, controls_server=True))]
    assert by_anybody == ["broker", "honors_broker_priority"]
    assert by_administrator == [*by_anybody, "db_chaining", "trustworthy", "owner"]


def test_what_comes_with_a_backup_is_named_where_it_differs() -> None:
    actual = database_settings(recovery_model="SIMPLE", compatibility_level=150, containment="PARTIAL")
    assert [difference.text.split(":")[0] for difference in differences(database_settings(), actual)] == [
        "the recovery model was FULL and is SIMPLE",
        "the compatibility level was 160 and is 150",
        "containment was NONE and is PARTIAL",
    ]


def test_an_owner_is_the_same_by_his_sid_or_on_another_server_by_his_name() -> None:
    for changes in ({"owner": "renamed"}, {"owner_sid": "FF", "owner": "SHOP_OWNER"}):
        assert differences(ALL_ON, ALL_ON.model_copy(update=changes)) == ()
    gone = ALL_ON.model_copy(update={"owner": ""})
    (difference,) = differences(gone, ALL_ON.model_copy(update={"owner_sid": "FF"}))
    assert difference.wanted == "a login that is gone"


def test_what_is_on_now_and_was_off_is_no_loss() -> None:
    assert differences(database_settings(owner="shop_owner", owner_sid="AB"), ALL_ON) == ()


def test_the_recovery_point_has_the_say_and_the_database_only_where_it_is_silent() -> None:
    now = database_settings(broker=True)
    assert wanted_settings(recorded(ALL_ON), now, in_place=True) == ALL_ON
    assert wanted_settings(recorded(None), now, in_place=True) == now
    assert wanted_settings(recorded(None), now, in_place=False) is None
    assert wanted_settings(recorded(None), None, in_place=True) is None


def test_a_database_is_at_home_on_its_server_under_its_name_whatever_its_tenant_is_called() -> None:
    own, point = tenant("renamed").database, verified()
    assert is_own_place(point, tenant().database, "SHOP_acme")
    assert not is_own_place(point, tenant().database, "shop_acme_old")
    assert is_own_place(point, own, "shop_acme")
    assert not is_own_place(point, own.model_copy(update={"connection": "another"}), "shop_acme")


def encrypted(**changes: Any) -> DatabaseSettings:
    key = {"is_on": True, "thumbprint": THUMBPRINT, "encryptor": "CERTIFICATE", "certificate": "tde_2026"}
    return database_settings(encryption=Encryption.model_validate({**key, **changes}))


def check(settings: DatabaseSettings | None, server: ServerFacts | None) -> None:
    check_server_takes(recorded(settings), settings, server, "sql_server_b", "Take another.")


@pytest.mark.parametrize("changes", [{}, {"is_on": False}, {"encryptor": "ASYMMETRIC KEY", "certificate": ""}])
def test_a_server_without_what_a_database_is_encrypted_by_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match=f"sql_server_b does not have .*0x{THUMBPRINT}"):
        check(encrypted(**changes), SERVER)
    check(encrypted(**changes), replace(SERVER, has_encryptor=True))


def test_who_may_not_see_certificates_is_not_told_that_there_is_none() -> None:
    check(encrypted(), replace(SERVER, sees_definitions=False))
    check(encrypted(thumbprint=""), SERVER)
    check(encrypted(), None)
    check(None, SERVER)


def test_a_server_that_lets_no_contained_database_in_is_refused() -> None:
    contained = database_settings(containment="PARTIAL")
    check(contained, SERVER)
    with pytest.raises(RefusedError, match=r"users of its own.*contained database authentication"):
        check(contained, replace(SERVER, takes_contained=False))
    check(database_settings(), replace(SERVER, takes_contained=False))


def test_settings_of_a_manifest_come_back_from_its_json() -> None:
    manifest = recorded(encrypted())
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
