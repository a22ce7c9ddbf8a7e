"""A restore that the server refuses before it writes has harmed nothing: the site goes online, no backup is marked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from include.rules.errors import PartError, PerennialError
from include.rules.restore.record import RESTORE_DATABASE as BEGUN
from perennial.hooks.sql_server import tsql
from perennial.restore.database import RestoreDatabaseTrigger
from tests.support.logins import PASSWORD, ReadmeLogin
from tests.support.restores import (
    access,
    assert_all_is_back,
    backed_up,
    damage,
    database,
    is_offline,
    record,
    state,
)
from tests.support.steps import RESTORE, Step, steps_until
from tests.support.ties import in_a_group, with_a_snapshot
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

BEFORE = steps_until(RestoreDatabaseTrigger)
RESTORE_DATABASE, CLOSE = RESTORE[len(BEFORE)], RESTORE[-1]
STEPS: list[Step] = RESTORE[len(BEFORE) :]

Tie = Callable[[World], Any]


@pytest.mark.parametrize("source", ["backup file", "snapshot"])
@pytest.mark.parametrize("tie", [in_a_group, with_a_snapshot])
def test_a_restore_that_is_refused_has_overwritten_nothing_and_may_be_begun_again(
    backed_up: World, tie: Tie, source: str
) -> None:
    form = {"what": "database", "database_from": source}
    before = state(backed_up)
    backed_up.carry_out(BEFORE, **form)
    with tie(backed_up):
        with pytest.raises(PartError) as caught:
            backed_up.run_restore_step(RESTORE_DATABASE, **form)
        assert f"Nothing was written to database {database(backed_up)}." in str(caught.value)
        assert record(backed_up, **form).begun == {}
        with pytest.raises(PartError) as closed:
            backed_up.run_restore_step(CLOSE, **form)
        assert "Tenant acme is as it was: nothing was overwritten." in str(closed.value)
        assert "partly old" not in str(closed.value)
        assert not is_offline(backed_up)
        assert access(backed_up) == ("ONLINE", "MULTI_USER")
    assert backed_up.back_up("acme|manual|2026-11-23T13:00:00Z").half_restored is None
    backed_up.carry_out(RESTORE[1:], **form)
    assert_all_is_back(backed_up, before)


def test_an_attempt_that_died_before_it_wrote_is_known_by_its_database(
    lent_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"what": "database"}
    lent_world.carry_out(BEFORE, **form)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("perennial.restore.database.restore_over", killed)
        with pytest.raises(KeyboardInterrupt):
            lent_world.run_restore_step(RESTORE_DATABASE, **form)
    lent_world.sql.run(tsql.set_access(database(lent_world), tsql.OFFLINE))  # so far it had come
    assert BEGUN in record(lent_world, **form).begun
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        lent_world.run_restore_step(CLOSE, **form)
    assert access(lent_world) == ("ONLINE", "MULTI_USER")
    assert not is_offline(lent_world)


def test_an_attempt_that_had_begun_stays_begun_when_the_next_one_is_refused(backed_up: World) -> None:
    form = {"what": "database"}
    backed_up.carry_out(BEFORE, **form)
    fail_in_the_midst(backed_up, **form)
    with in_a_group(backed_up):
        with pytest.raises(PerennialError) as caught:
            backed_up.carry_out([*RESTORE[1 : len(BEFORE)], RESTORE_DATABASE], **form)
        assert "Nothing was written" not in str(caught.value)
    assert BEGUN in record(backed_up, **form).begun
    with pytest.raises(PartError, match="may be partly old and partly restored"):
        backed_up.run_restore_step(CLOSE, **form)
    assert is_offline(backed_up)


def fail_in_the_midst(world: World, **form: Any) -> None:
    """Let an attempt fail in the midst of its bytes."""
    damage(world)
    with pytest.raises(PerennialError, match="was not restored"):
        world.run_restore_step(RESTORE_DATABASE, **form)
    assert access(world)[0] == "RESTORING"


def test_a_database_that_was_offline_before_a_refused_restore_is_offline_after_it(backed_up: World) -> None:
    form = {"what": "database"}
    backed_up.sql.run(tsql.set_access(database(backed_up), tsql.OFFLINE))
    backed_up.carry_out(BEFORE, **form)
    with in_a_group(backed_up), pytest.raises(PartError, match=r"is OFFLINE\. Nothing was written to database"):
        backed_up.run_restore_step(RESTORE_DATABASE, **form)
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(CLOSE, **form)
    assert access(backed_up)[0] == "OFFLINE"
    assert not is_offline(backed_up)
    backed_up.carry_out(RESTORE[1:], **form)
    assert access(backed_up) == ("ONLINE", "MULTI_USER")


def test_a_database_that_was_not_there_and_could_not_be_made_leaves_nothing_begun(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"what": "database"}
    backed_up.sql.drop_database(database(backed_up))
    backed_up.carry_out(BEFORE, **form)
    login = ReadmeLogin.make(backed_up.sql, backed_up.sql.new_database(), but_for="dbcreator")
    variable = "AIRFLOW_CONN_SQL_SERVER_LAB"
    with monkeypatch.context() as patched:
        connection = json.loads(os.environ[variable])
        patched.setenv(variable, json.dumps(connection | {"login": login.name, "password": PASSWORD}))
        with pytest.raises(PerennialError, match="CREATE DATABASE permission denied"):
            backed_up.run_restore_step(RESTORE_DATABASE, **form)
    assert record(backed_up, **form).begun == {}
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(CLOSE, **form)
    backed_up.carry_out(RESTORE[1:], **form)
    assert access(backed_up) == ("ONLINE", "MULTI_USER")
