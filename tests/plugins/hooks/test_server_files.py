"""Where the files of a server's databases lie is asked once for all that want to know at the time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perennial.hooks.freshness import Freshness
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.server_files import files_of, files_of_all, remembered_files
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_twenty_that_ask_at_once_share_one_statement_and_what_it_fails_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, logins, is_down = SqlServer._open, list[str](), [True]

    def counted(server: SqlServer, *arguments: Any) -> Any:
        logins.append(server.conn_id)
        if is_down[0]:
            raise SqlServerError(18456, "it is down")
        return opened(server, *arguments)

    monkeypatch.setattr(SqlServer, "_open", counted)

    async def ask() -> list[Any]:
        now = Freshness.within(0)
        asked = (files_of_all("sql_server_lab", now) for _ in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    errors = world.runner.run(ask())
    assert (len(logins), {type(one) for one in errors}) == (1, {SqlServerError})
    is_down[0] = False
    first, *others = world.runner.run(ask())
    assert len(logins) == 2
    assert others == [first] * 19
    database = world.entries["acme"]["database"]["name"]
    data = world.database_host.folder
    assert files_of(first, database) == (f"{data}/{database}.mdf", f"{data}/{database}_log.ldf")


def test_what_a_server_has_said_is_remembered_for_those_who_take_it_so_old(world: World) -> None:
    async def ask() -> tuple[Any, list[Any]]:
        before = asyncio.get_running_loop().time()
        said = await files_of_all("sql_server_lab", Freshness.within(0))
        after = asyncio.get_running_loop().time()
        return said, [remembered_files("sql_server_lab", since=since) for since in (before, after)]

    said, remembered = world.runner.run(ask())
    assert said
    assert remembered == [said, {}]


def test_names_compare_without_regard_to_case_unless_two_differ_in_it_alone() -> None:
    assert files_of({"Shop": ("a",), "other": ("b",)}, "SHOP") == ("a",)
    assert files_of({"Shop": ("a",), "shop": ("b",)}, "shop") == ("b",)
    assert files_of({"Shop": ("a",), "shop": ("b",)}, "SHOP") == ()
