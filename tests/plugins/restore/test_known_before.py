"""What would stop the database half of a restore is known in its preview, while the site is online."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from include.rules.errors import PartError, PerennialError, RefusedError
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from tests.support.backup_files import delete_backup_file
from tests.support.logins import PASSWORD, ReadmeLogin
from tests.support.restores import access, assert_all_is_back, backed_up, damage, database, is_offline, record, state
from tests.support.steps import RESTORE, TODAY, steps_until
from tests.support.ties import in_a_group, with_a_snapshot
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

BEFORE = steps_until(RestoreDatabaseTrigger)
RESTORE_DATABASE = RESTORE[len(BEFORE)]


def with_header(world: World, **changes: Any) -> None:
    """Change what the .bak of today says of itself, and the manifest with it."""
    (key,) = world.files(TODAY)
    body = world.read_file(key)
    (length,) = struct.unpack("<I", body[8:12])
    header = json.loads(body[12 : 12 + length])
    text = json.dumps(header | {name: change(header) for name, change in changes.items()}).encode()
    rest = body[12 + length + 4 :]
    world.write_file(key, body[:8] + struct.pack("<I", len(text)) + text + struct.pack("<I", zlib.crc32(text)) + rest)
    world.record_files_as_they_are(TODAY)


@contextmanager
def of_a_newer_server(world: World) -> Iterator[None]:
    with_header(world, DatabaseVersion=lambda _: 998, SoftwareVersionMajor=lambda _: 17)
    yield


@contextmanager
def larger_than_the_disk(world: World) -> Iterator[None]:
    with_header(world, Files=lambda header: [file | {"Size": 2**60} for file in header["Files"]])
    yield


@pytest.mark.parametrize(
    ("tie", "reason", "other_form"),
    [
        (in_a_group, "is in an availability group", {"database_from": "snapshot"}),
        (with_a_snapshot, "database snapshots refer to", {"database_from": "snapshot"}),
        (of_a_newer_server, "the .bak was made by SQL Server 17.", {"database": "beside"}),
        (larger_than_the_disk, "more bytes on ", {"database": "beside"}),
    ],
)
def test_what_the_server_would_refuse_is_refused_by_the_preview(
    lent_world: World, tie: Callable[[World], Any], reason: str, other_form: dict[str, str]
) -> None:
    before = state(lent_world)
    with tie(lent_world):
        for form in ({}, other_form):
            with pytest.raises(RefusedError, match=reason) as caught:
                lent_world.run_restore_step(RESTORE[0], what="database", **form)
            assert "SQL Server would refuse it after the site was taken offline; nothing was restored." in str(
                caught.value
            )
            assert lent_world.restore_record(what="database", **form) is None
    assert state(lent_world) == before


@pytest.fixture
def limited(backed_up: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with a login that is a db_owner of the database and may make others, and is no dbcreator."""
    name = database(backed_up)
    login = ReadmeLogin.make(backed_up.sql, name, but_for="dbcreator")
    backed_up.sql.run(f"GRANT CREATE ANY DATABASE TO [{login.name}]")
    variable = "AIRFLOW_CONN_SQL_SERVER_LAB"
    connection = json.loads(os.environ[variable])
    monkeypatch.setenv(variable, json.dumps(connection | {"login": login.name, "password": PASSWORD}))
    return backed_up


def test_a_login_that_could_not_bring_the_database_back_is_refused_by_the_preview(limited: World) -> None:
    with pytest.raises(RefusedError, match=r"may not restore over the database and bring it online.*dbcreator"):
        limited.run_restore_step(RESTORE[0], what="database")
    assert access(limited) == ("ONLINE", "MULTI_USER")


def test_the_same_login_restores_beside_and_from_the_snapshot(limited: World) -> None:
    rows, copy = limited.rows("acme"), f"{database(limited)}_copy"
    limited.carry_out(BEFORE, what="database", database=copy)
    limited.run_restore_step(RESTORE_DATABASE, what="database", database=copy)
    assert limited.sql.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=copy) == rows


def test_a_right_that_is_lost_after_the_preview_leaves_the_database_online_and_untouched(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, form = state(backed_up), {"what": "database"}
    backed_up.carry_out(BEFORE, **form)
    login = ReadmeLogin.make(backed_up.sql, database(backed_up), but_for="dbcreator")
    backed_up.sql.run(f"GRANT CREATE ANY DATABASE TO [{login.name}]")
    variable = "AIRFLOW_CONN_SQL_SERVER_LAB"
    with monkeypatch.context() as patched:
        connection = json.loads(os.environ[variable])
        patched.setenv(variable, json.dumps(connection | {"login": login.name, "password": PASSWORD}))
        with pytest.raises(RefusedError, match=r"may not restore over the database.*it was not touched"):
            backed_up.run_restore_step(RESTORE_DATABASE, **form)
        assert access(backed_up) == ("ONLINE", "MULTI_USER")
        assert record(backed_up, **form).begun == {}
        with pytest.raises(PerennialError, match="Tenant acme is as it was"):
            backed_up.run_restore_step(RESTORE[-1], **form)
    assert not is_offline(backed_up)
    backed_up.carry_out(RESTORE[1:], **form)
    assert_all_is_back(backed_up, before)


def lose(world: World, key: str) -> None:
    world.runner.run(delete_backup_file(world.vault, key))


def harm(world: World, _key: str) -> None:
    damage(world)


def swap(world: World, key: str) -> None:
    """Another backup of the same database lies there now."""
    world.back_up("acme|manual|2026-11-23T11:00:00Z")
    world.write_file(key, world.read_file(world.files("acme|manual|2026-11-23T11:00:00Z")[0]))


@pytest.mark.parametrize(
    ("happens", "message"),
    [(lose, "has gone from the vault"), (harm, "is damaged"), (swap, "it is another backup")],
)
def test_a_bak_that_is_another_since_the_preview_is_found_before_the_site_goes_offline(
    lent_world: World, happens: Callable[[World, str], None], message: str
) -> None:
    form = {"what": "database"}
    lent_world.run_restore_step(RESTORE[0], **form)
    (key,) = lent_world.files(TODAY)
    before = state(lent_world)
    happens(lent_world, key)
    with pytest.raises(PartError, match=f"since the preview.*{message}|{message}.*since the preview") as caught:
        lent_world.carry_out(steps_until(CopyFilesTrigger)[1:], **form)
    assert "Nothing was overwritten." in str(caught.value)
    assert not is_offline(lent_world)
    assert state(lent_world) == before


def test_a_bak_that_was_only_written_anew_is_read_again_and_restored(backed_up: World) -> None:
    before, form = state(backed_up), {"what": "database"}
    backed_up.run_restore_step(RESTORE[0], **form)
    (key,) = backed_up.files(TODAY)
    with_header(backed_up, BackupDescription=lambda _: "copied from another bucket")
    assert backed_up.read_file(key)
    backed_up.carry_out(RESTORE[1:], **form)
    assert_all_is_back(backed_up, before)
    (offline,) = [step for step in record(backed_up, **form).steps if step.name == "take_site_offline"]
    assert "The .bak has been read again to its end." in offline.message
