"""A fleet: many tenants on shared volumes of several SQL Servers, each of which is a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pymssql
import pytest

from lab.processes import Processes
from lab.seed.fleet import fleet_connections, fleet_tenants, seed_fleet
from lab.seed.many_volumes import DEVICES
from lab.seed.register import registered
from lab.seed.shop import connect_arguments
from lab.settings import LabSettings
from lab.sql_client import sql_calls
from lab.testing.command import run_lab
from lab.testing.deadlines import within
from lab.testing.server import new_settings
from lab.waiting import wait_until

SERVERS, TENANTS, PER_VOLUME = 3, 7, 2


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSettings]:
    """Seven tenants, two on a volume, on three SQL Servers."""
    settings = new_settings(tmp_path_factory.mktemp("fleet"), SERVERS)
    try:
        for command in (("up",), ("seed-fleet", str(TENANTS), "--per-volume", str(PER_VOLUME))):
            done = run_lab(settings, *command)
            assert done.returncode == 0, done.stderr
        yield settings
    finally:
        run_lab(settings, "down")


def ask(settings: LabSettings, number: int, query: str, database: str = "master") -> list[tuple[Any, ...]]:
    with pymssql.connect(database=database, **connect_arguments(settings, number)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return list(cursor.fetchall())


@pytest.mark.lab
def test_so_many_tenants_share_a_web_volume_and_a_database_volume(fleet: LabSettings) -> None:
    entries = list(registered(fleet).values())
    assert [entry["id"] for entry in entries] == [f"t{number:04}" for number in range(1, TENANTS + 1)]
    for kind in ("web", "database"):
        volumes = [entry[kind]["volume"] for entry in entries]
        assert volumes[0] == volumes[1] != volumes[2] == volumes[3]
        assert len(set(volumes)) == 4
    assert [entry["database"]["connection"][-2:] for entry in entries] == ["01", "01", "02", "02", "03", "03", "01"]


@pytest.mark.lab
def test_every_tenant_has_rows_and_files_of_its_own_on_its_volumes(fleet: LabSettings) -> None:
    connections = fleet_connections(fleet)
    for tenant, entry in registered(fleet).items():
        database = entry["database"]
        number = int(database["connection"][-2:])
        assert connections[database["connection"]]["port"] == fleet.sql_port(number)
        assert ask(fleet, number, "SELECT tenant FROM site", database["name"]) == [(tenant,)]
        assert ask(fleet, number, "SELECT COUNT(*) FROM customer", database["name"]) == [(20,)]
        files = ask(fleet, number, "SELECT physical_name FROM sys.database_files", database["name"])
        assert {str(Path(str(file)).parent) for (file,) in files} == {database["mount"]}
        assert tenant in (Path(entry["web"]["path"]) / "index.html").read_text()
        for kind, below in (("web", f"{tenant}/www/index.html"), ("database", f"{database['name']}.mdf")):
            assert (fleet.state / "cloud" / "volumes" / entry[kind]["volume"] / below).is_file()


@pytest.mark.lab
def test_each_server_is_an_instance_of_its_own(fleet: LabSettings) -> None:
    names = [ask(fleet, number, "SELECT @@SERVERNAME")[0][0] for number in fleet.sql_numbers]
    assert names == ["PERENNIAL-LAB", "PERENNIAL-LAB-02", "PERENNIAL-LAB-03"]
    assert ask(fleet, 2, "SELECT SERVERPROPERTY('ServerName')") == [("PERENNIAL-LAB-02",)]
    databases = {n: {name for (name,) in ask(fleet, n, "SELECT name FROM sys.databases")} for n in fleet.sql_numbers}
    assert {"site_t0001", "site_t0002", "site_t0007"} <= databases[1]
    assert {"site_t0003", "site_t0004"} == databases[2] - {"master", "tempdb", "model", "msdb"}
    with pymssql.connect(database="master", **connect_arguments(fleet, 1)) as first:
        lock = (
            "EXEC sp_getapplock @Resource = 'fleet', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0"
        )
        first.cursor().execute(lock)
        taken = f"DECLARE @r INT; EXEC @r = {lock.removeprefix('EXEC ')}; SELECT @r"
        assert ask(fleet, 1, taken) == [(-1,)]
        assert ask(fleet, 2, taken) == [(0,)]


@pytest.mark.lab
def test_what_the_servers_were_asked_is_counted(fleet: LabSettings) -> None:
    before = sql_calls(fleet)
    ask(fleet, 1, "SELECT 1")
    ask(fleet, 3, "SELECT 1; SELECT 2")
    now = sql_calls(fleet)
    own = SERVERS  # connections of sql_calls itself, each with a query
    assert now["logins"] - before["logins"] == 2 + own
    assert now["sql:Query"] - before["sql:Query"] == 3 + own
    assert now["batches"] - before["batches"] >= 2 + own


@pytest.mark.lab
def test_seeding_again_leaves_what_is_there_and_adds_what_is_missing(fleet: LabSettings) -> None:
    before, said = registered(fleet), list[str]()
    assert len(seed_fleet(fleet, TENANTS, PER_VOLUME, say=said.append)) == TENANTS
    assert said == ["0 tenants seeded, 7 were there: 2 on a volume, 3 SQL Servers, 0 volumes."]
    seed_fleet(fleet, TENANTS + 1, PER_VOLUME, say=said.append)  # t0008 joins t0007 on its volumes
    after = registered(fleet)
    assert {tenant: after[tenant] for tenant in before} == before
    assert after["t0008"]["web"]["volume"] == after["t0007"]["web"]["volume"]
    assert ask(fleet, 1, "SELECT tenant FROM site", "site_t0008") == [("t0008",)]


@pytest.mark.lab
def test_one_server_of_several_may_die_and_none_outlives_the_first(tmp_path: Path) -> None:
    settings = new_settings(tmp_path, SERVERS)
    try:
        assert run_lab(settings, "up").returncode == 0
        leader = Processes(settings.state).leader("sqlserver")
        assert leader is not None
        second, third = sorted(leader.children(), key=lambda child: child.pid)
        second.kill()
        with pytest.raises(pymssql.Error):
            ask(settings, 2, "SELECT 1")
        assert ask(settings, 1, "SELECT 1") == ask(settings, 3, "SELECT 1") == [(1,)]
        leader.kill()
        wait_until(lambda: not _runs(third), within(5), "the third server outlived the first")
    finally:
        assert run_lab(settings, "down").returncode == 0


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_host_that_would_have_too_many_volumes_is_refused() -> None:
    assert len(fleet_tenants(len(DEVICES) * 2, 1, servers=2)) == len(DEVICES) * 2
    with pytest.raises(ValueError, match="Put more tenants on a volume, or start more SQL Servers"):
        fleet_tenants(len(DEVICES) * 2 + 1, 1, servers=2)
