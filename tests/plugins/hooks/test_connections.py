"""Airflow's connections to SQL Servers: asked for once in a while, and at once when the server does not take one."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from include.rules.errors import ConfigurationError
from lab.settings import HOST
from perennial.hooks.sql_server import connections
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server import SqlServer
from tests.support.world import World

pytestmark = pytest.mark.lab

ID = "sql_server_of_a_test"
WHO = "SELECT SUSER_SNAME() AS login"


class Airflow:
    """What Airflow says when it is asked for the connection, and how often it was."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self._monkeypatch, self.asked = world, monkeypatch, 0
        get_connection = MsSqlHook.get_connection

        def counted(conn_id: str) -> Any:
            self.asked += 1
            return get_connection(conn_id)

        monkeypatch.setattr(MsSqlHook, "get_connection", counted)
        monkeypatch.setattr(connections, "GOOD_FOR", 60)

    def make_login(self) -> str:
        name = f"login_{uuid4().hex[:8]}"
        self.world.sql.run(f"CREATE LOGIN [{name}] WITH PASSWORD = N'First-Passw0rd'")
        return name

    def has(self, login: str, password: str) -> None:
        port = self.world.sql.settings.sql_server_port
        connection = {"conn_type": "mssql", "host": HOST, "port": port, "login": login, "password": password}
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{ID.upper()}", json.dumps(connection))


@pytest.fixture
def airflow(world: World, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    return Airflow(world, monkeypatch)


async def login() -> str:
    return str((await SqlServer(ID).run(WHO))[0]["login"])


def test_a_thousand_statements_ask_airflow_once(world: World, airflow: Airflow) -> None:
    name = airflow.make_login()
    airflow.has(name, "First-Passw0rd")

    async def many() -> set[str]:
        return set(await asyncio.gather(*(login() for _ in range(40)))) | {await login()}

    assert world.runner.run(many()) == {name}
    assert airflow.asked == 1


def test_a_changed_password_is_taken_up_by_the_statement_that_needs_it(world: World, airflow: Airflow) -> None:
    name = airflow.make_login()
    airflow.has(name, "First-Passw0rd")

    async def before_and_after() -> None:
        assert await login() == name
        world.sql.run(f"DROP LOGIN [{name}]", f"CREATE LOGIN [{name}] WITH PASSWORD = N'Second-Passw0rd'")
        airflow.has(name, "Second-Passw0rd")
        assert await asyncio.gather(*(login() for _ in range(10))) == [name] * 10
        assert airflow.asked == 2  # all of the ten take the answer that the first has asked for

    world.runner.run(before_and_after())


def test_a_password_that_is_wrong_for_good_is_refused_in_the_servers_own_words(world: World, airflow: Airflow) -> None:
    name = airflow.make_login()
    airflow.has(name, "Wrong-Passw0rd")
    with pytest.raises(SqlServerError, match=r"Login failed") as refused:
        world.runner.run(login())
    assert refused.value.number == 18456
    assert airflow.asked == 2


def test_another_login_is_taken_up_by_whoever_asks_anew_and_by_all_when_the_answer_is_old(
    world: World, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = airflow.make_login(), airflow.make_login()

    async def one_after_the_other() -> None:
        airflow.has(first, "First-Passw0rd")
        assert await login() == first
        airflow.has(second, "First-Passw0rd")
        assert await login() == first
        assert (await SqlServer(ID, fresh=True).run(WHO))[0]["login"] == second
        airflow.has(first, "First-Passw0rd")
        assert await login() == second
        monkeypatch.setattr(connections, "GOOD_FOR", 0)
        assert await login() == first

    world.runner.run(one_after_the_other())


def test_a_connection_that_is_not_there_is_asked_for_again_by_the_next(
    world: World, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = airflow.make_login()

    async def made_meanwhile() -> None:
        with pytest.raises(ConfigurationError, match=f"Airflow has no connection '{ID}'"):
            await login()
        airflow.has(name, "First-Passw0rd")
        assert await login() == name

    world.runner.run(made_meanwhile())
