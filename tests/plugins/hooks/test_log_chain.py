"""Where a database stands in its chain, as its server says, and what an hourly backup makes of that."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from include.rules.backup.hourly import LogChain, RecoveryModel
from lab.testing.sql_server import LabSqlServer
from perennial.hooks.sql_server.log_chain import log_chain
from perennial.hooks.sql_server.server import SqlServer
from tests.support.world import World

pytestmark = pytest.mark.lab


@pytest.fixture
def database(world: World) -> str:
    return str(world.entries["acme"]["database"]["name"])


def chain_of(world: World, database: str) -> LogChain:
    return world.runner.run(log_chain(SqlServer("sql_server_lab"), "acme", database))


def back_up(server: LabSqlServer, database: str, what: str, options: str = "CHECKSUM") -> dict[str, object]:
    """A backup to the server's disk; what its header says."""
    kind = "LOG" if what.startswith("log") else "DATABASE"
    server.run(f"BACKUP {kind} [{database}] TO DISK = N'{database}-{what}.bak' WITH {options}")
    with server.connect(as_dict=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"RESTORE HEADERONLY FROM DISK = N'{database}-{what}.bak'")
        row: Any = cursor.fetchone()
        return dict(row)


def test_a_database_without_a_backup_keeps_no_log(world: World, database: str) -> None:
    chain = chain_of(world, database)
    assert (chain.recovery_model, chain.log_lsn, chain.base) == (RecoveryModel.FULL, None, "")


def test_the_next_log_begins_where_the_last_one_ended_and_says_whether_anything_was_logged(
    world: World, database: str
) -> None:
    full = back_up(world.sql, database, "full")
    log = back_up(world.sql, database, "log1")
    chain = chain_of(world, database)
    assert isinstance(log["LastLSN"], Decimal)
    assert (chain.log_lsn, chain.has_news, chain.left_fork) == (int(log["LastLSN"]), False, "")
    assert (chain.fork, chain.base) == (str(log["RecoveryForkID"]), str(full["BackupSetGUID"]))
    world.sql.run("CREATE TABLE news (a INT)", database=database)
    assert chain_of(world, database).has_news
    again = back_up(world.sql, database, "log2")
    assert again["FirstLSN"] == log["LastLSN"]


def test_a_database_that_was_restored_goes_on_from_the_fork_that_it_has_left(world: World, database: str) -> None:
    server = world.sql
    back_up(server, database, "full")
    log = back_up(server, database, "log1")
    for step in (
        f"DATABASE [{database}] FROM DISK = N'{database}-full.bak' WITH NORECOVERY, REPLACE",
        f"LOG [{database}] FROM DISK = N'{database}-log1.bak' WITH RECOVERY",
    ):
        server.run(f"RESTORE {step}")
    chain = chain_of(world, database)
    assert (chain.left_fork, chain.fork_lsn) == (str(log["RecoveryForkID"]), chain.log_lsn)
    assert chain.fork != chain.left_fork
    back_up(server, database, "log2")
    assert chain_of(world, database).left_fork == ""


def test_a_database_of_the_simple_model_has_no_log_to_back_up(world: World, database: str) -> None:
    world.sql.run(f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE")
    chain = chain_of(world, database)
    assert (chain.recovery_model, chain.next_log) == (RecoveryModel.SIMPLE, None)
