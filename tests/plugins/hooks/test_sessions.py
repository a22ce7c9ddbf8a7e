"""Conversations with SQL Server: one connection for those of a block, another one after anything has gone wrong."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import Any

import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from lab.testing.deadlines import within
from lab.testing.sql_server import WAIT_SECONDS
from lab.waiting import wait_until
from perennial.hooks.sql_server import tsql, tsql_settings
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Session
from tests.support.restores import backed_up
from tests.support.steps import BACKUP, CHAIN, DATABASE, RESTORE, TODAY, VERIFY, Step
from tests.support.world import World

__all__ = ["backed_up"]
pytestmark = pytest.mark.lab

SPID = "SELECT @@SPID AS session_id, DB_NAME() AS name"


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that are opened, by the thread that opens them: server and program."""
    opened: list[str] = []
    get_conn = MsSqlHook.get_conn

    def counted(hook: MsSqlHook) -> Any:
        opened.append(threading.current_thread().name)
        return get_conn(hook)

    monkeypatch.setattr(MsSqlHook, "get_conn", counted)
    return opened


def server() -> SqlServer:
    return SqlServer("sql_server_lab", "perennial test")


def sessions_of_tests(world: World) -> int:
    return len(world.sql.run(tsql.running_sessions("perennial test")))


def wait_until_none_is_left(world: World) -> None:
    """A server sees that a connection was closed, but not in the same moment."""
    wait_until(lambda: not sessions_of_tests(world), WAIT_SECONDS, "a session is still there")


async def spid(talking: SqlServer) -> int:
    return int((await talking.run(SPID))[0]["session_id"])


def test_the_conversations_of_a_block_use_one_connection_and_others_one_each(world: World, logins: list[str]) -> None:
    talking = server()

    async def conversations() -> list[int]:
        async with talking.one_session():
            kept = [await spid(talking) for _ in range(3)]
        return [*kept, await spid(talking)]

    numbers = world.runner.run(conversations())
    assert len(set(numbers[:3])) == 1
    assert len(logins) == 2
    wait_until_none_is_left(world)


def test_a_block_that_says_nothing_opens_no_connection(world: World, logins: list[str]) -> None:
    async def nothing() -> None:
        async with server().one_session():
            pass

    world.runner.run(nothing())
    assert logins == []


def test_a_connection_is_left_in_master(world: World) -> None:
    talking, database = server(), world.entries["acme"]["database"]["name"]

    async def look_inside() -> object:
        async with talking.one_session():
            await talking.run(tsql_settings.space_and_settings(database))
            return (await talking.run(SPID))[0]["name"]

    assert world.runner.run(look_inside()) == "master"


def test_a_session_is_in_autocommit_whatever_the_connection_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_SQL_SERVER_LAB"]) | {"extra": {"autocommit": False}}
    monkeypatch.setenv("AIRFLOW_CONN_SQL_SERVER_LAB", json.dumps(connection))
    assert world.runner.run(server().run("SELECT @@TRANCOUNT AS open"))[0]["open"] == 0


def test_what_a_conversation_locks_is_free_after_the_block(world: World) -> None:
    talking, other = server(), server()
    lock = tsql.take_lock("perennial-test")

    async def granted() -> list[int]:
        async with talking.one_session():
            answers = [(await one.run(lock))[0]["granted"] for one in (talking, talking, other)]
        return [*answers, (await other.run(lock))[0]["granted"]]

    first, again, others, afterwards = world.runner.run(granted())
    assert min(first, again, afterwards) >= 0
    assert others < 0


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT * FROM nowhere"])
def test_after_an_error_the_next_conversation_has_a_connection_of_its_own(
    world: World, logins: list[str], statement: str
) -> None:
    talking = server()

    async def conversations() -> None:
        async with talking.one_session():
            await spid(talking)
            with pytest.raises(SqlServerError):
                await talking.run(statement)
            await spid(talking)

    world.runner.run(conversations())
    assert len(logins) == 2
    wait_until_none_is_left(world)


def test_a_connection_that_was_lost_meanwhile_is_replaced_where_the_conversation_may_be_repeated(
    world: World, logins: list[str]
) -> None:
    talking = server()

    async def conversations() -> tuple[int, int]:
        async with talking.one_session():
            before = await spid(talking)
            await asyncio.to_thread(world.sql.run, f"KILL {before}")
            return before, int((await talking.run(SPID, pauses=[0.05]))[0]["session_id"])

    before, after = world.runner.run(conversations())
    assert (len(logins), before == after) == (2, False)


def test_a_cancelled_conversation_ends_its_own_connection_and_no_other(world: World, logins: list[str]) -> None:
    talking, begun, go_on = server(), threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        begun.set()
        go_on.wait(within(30))

    async def conversations() -> None:
        async with talking.one_session():
            await spid(talking)
            task = asyncio.create_task(talking.talk(slow))
            await asyncio.to_thread(begun.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await spid(talking)

    world.runner.run(conversations())
    assert len(logins) == 2
    assert sessions_of_tests(world) == 1, "its thread is still at work with it"
    go_on.set()
    wait_until_none_is_left(world)


def test_a_session_whose_conversation_was_cancelled_as_it_ended_is_not_used_again(world: World) -> None:
    talking = server()

    async def conversations() -> None:
        async with talking.one_session():
            assert talking._kept
            before = await spid(talking)
            session = talking._kept.take()
            assert session
            session.abandoned.set()
            talking._kept.put(session)
            assert await spid(talking) != before

    world.runner.run(conversations())
    wait_until_none_is_left(world)


def count(world: World, logins: list[str], run: Any, step: Step) -> int:
    before = len(logins)
    run(step)
    return len(logins) - before


def test_each_step_of_a_backup_logs_in_once(world: World, logins: list[str]) -> None:
    """To see where its files lie, for all that the .bak takes, to read it back."""
    counts = [(step, count(world, logins, lambda s: world.run(s, TODAY), step)) for step in CHAIN]
    assert [counted for counted in counts if counted[1]] == [(DATABASE, 1), (BACKUP, 1), (VERIFY, 1)]


def test_a_restore_logs_in_once_for_each_thing_that_it_does(backed_up: World, logins: list[str]) -> None:
    counts = {step[0].__name__: count(backed_up, logins, backed_up.run_restore_step, step) for step in RESTORE}
    assert {name.removesuffix("Trigger"): number for name, number in counts.items() if number} == {
        "PreviewRestore": 3,  # where its files lie, what the database is, and what the .bak is
        "TakeSafetyPoint": 4,  # what the database is, and a backup
        "RestoreDatabase": 1,
        "CheckRestore": 1,
        "CloseRestore": 1,
    }
