"""The fixture `world`: cloud, storage and SQL Server of the lab with one tenant in them, and its steps to run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
import pytest
import yaml

from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord
from include.rules.restore.request import RestoreRequest
from lab.settings import ZONE
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage
from lab.waiting import wait_until
from perennial.hooks.aws.clients import close_clients
from perennial.hooks.sql_server import tsql
from perennial.hooks.vault.memory import memories
from perennial.steps.trigger import StepResult, StepTrigger
from tests.support.holdings import Holdings
from tests.support.hosts import Hosts, Loan, MountedHost
from tests.support.servers import Servers, set_world
from tests.support.steps import CHAIN, RESTORE, Step, restore_form
from tests.support.triggers import CutOff, trigger_of

PLANS = {
    "standard": {
        "cadence": "daily",
        "manual_backups_per_month": 10,
        "rpo_hours": 26,
        # Most tests back up twice within a minute and expect two moments; those of shared snapshots have a window.
        "snapshot_window_minutes": 0,
    }
}


@dataclass
class World(Holdings):
    """One lab with tenants; every test has tenants, databases and a vault of its own."""

    sql: LabSqlServer
    hosts: Loan
    config: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_tenant(self, tenant: str, rows: int = 50) -> dict[str, Any]:
        """Make hosts, volumes, files and a database, and register the tenant; returns its entry."""
        web, db = self.hosts.lend(f"/srv/{tenant}"), self.database_host
        site = web.folder / "site"
        site.mkdir()
        (site / "index.html").write_text(f"welcome to {tenant}")
        database = f"shop_{tenant}_{uuid4().hex[:8]}"
        self.sql.run(f"CREATE DATABASE [{database}]")
        values = ", ".join(f"({number}, N'customer {number}')" for number in range(rows))
        self.sql.run(
            "CREATE TABLE dbo.orders (id INT PRIMARY KEY, customer NVARCHAR(100))",
            f"INSERT INTO dbo.orders (id, customer) VALUES {values}",
            database=database,
        )
        self.sql.move_files(database, db.folder)
        self.entries[tenant] = {
            "id": tenant,
            "plan": "standard",
            "web": {
                "instance": web.instance,
                "volume": web.volume,
                "zone": ZONE,
                "mount": str(web.folder),
                "path": str(site),
            },
            "database": {
                "connection": "sql_server_lab",
                "name": database,
                "instance": db.instance,
                "volume": db.volume,
                "zone": ZONE,
                "mount": str(db.folder),
                "platform": "linux",
            },
            "tags": {"cost-centre": "4711"},
        }
        self.write_register()
        return self.entries[tenant]

    @cached_property
    def database_host(self) -> MountedHost:
        """The host of all tenants' databases."""
        return self.hosts.lend("/data")

    def drop_databases(self, but: Collection[str] = ()) -> None:
        """Leave no other database behind; a host whose volume one of them does not let go of is not lent again."""
        self.sql.ensure_running()
        for name, state in self._user_databases(but):
            put_out = [f"ALTER DATABASE {tsql.name(name)} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"]
            with suppress(pymssql.Error):
                self.sql.run(*(put_out if state == "ONLINE" else ()), f"DROP DATABASE {tsql.name(name)}")
        if self._user_databases(but):
            self.hosts.forget_lent()

    def _user_databases(self, but: Collection[str]) -> list[tuple[Any, ...]]:
        found = self.sql.run("SELECT name, state_desc FROM sys.databases WHERE database_id > 4")
        return [database for database in found if database[0] not in but]

    def write_register(self) -> None:
        (self.config / "plans.yaml").write_text(yaml.safe_dump({"plans": PLANS}))
        (self.config / "tenants.yaml").write_text(yaml.safe_dump({"tenants": list(self.entries.values())}))

    def site(self, tenant: str) -> Path:
        return Path(self.entries[tenant]["web"]["path"])

    def step(self, step: Step, request: str, run_id: str = "run-1") -> StepTrigger:
        """A step's trigger, ready to run."""
        cls, fields = step
        return trigger_of(cls, run_id, request=request, **fields)

    def steps(self, request: str, run_id: str = "run-1") -> list[StepTrigger]:
        """All steps of a backup, ready to run one after the other."""
        return [self.step(step, request, run_id) for step in CHAIN]

    def run(self, step: Step, request: str, run_id: str = "run-1") -> StepResult:
        """Run one step to its end; its error comes as it is."""
        return self.runner.run(self.step(step, request, run_id).work_within_deadline())

    def cut_off_and_run_again(self, step: Step, request: str, suspension: int, *, elsewhere: bool = False) -> bool:
        """End a step at its n-th suspension and begin it again; False when it ended before it came that far.

        Args:
            elsewhere: Whether it begins again in a process that has seen nothing of the run.
        """
        reached = self.runner.run(CutOff.run(self.step(step, request).work_within_deadline(), suspension))
        if reached:
            if elsewhere:
                self.runner.run(_forget())
            self.run(step, request)
        return reached

    def back_up(self, request: str, run_id: str = "run-1") -> Manifest:
        """Run all steps; returns the manifest."""
        for step in CHAIN:
            self.run(step, request, run_id)
        return self.manifest(request)

    def restore_step(self, step: Step, run_id: str = "restore-1", **form: Any) -> StepTrigger:
        """A restore step's trigger, ready to run; `form` overrides that of a whole restore of acme."""
        cls, fields = step
        return trigger_of(cls, run_id, "restore", **restore_form(**form), **fields)

    def restore_record(self, **form: Any) -> RestoreRecord | None:
        """The record of the restore that the form asks for, as it stands."""
        asked = RestoreRequest.parse(**restore_form(**form))
        version = self.runner.run(self.vault.restores.get(asked.target, asked.restore_id))
        return version.value if version else None

    def run_restore_step(self, step: Step, run_id: str = "restore-1", **form: Any) -> StepResult:
        """Run one step of a restore to its end; its error comes as it is."""
        return self.runner.run(self.restore_step(step, run_id, **form).work_within_deadline())

    def carry_out(self, steps: Iterable[Step], run_id: str = "restore-1", **form: Any) -> StepResult:
        """Run some steps of a restore; returns what the last one says."""
        result: StepResult = {}
        for step in steps:
            result = self.run_restore_step(step, run_id, **form)
        return result

    def restore(self, **form: Any) -> StepResult:
        """Run all steps of a restore; returns what its last one says."""
        return self.carry_out(RESTORE, **form)

    def rows(self, tenant: str) -> list[tuple[Any, ...]]:
        """The rows of the tenant's table."""
        database = self.entries[tenant]["database"]["name"]
        return self.sql.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=database)

    def kill_backup(self, point: str) -> None:
        """Wait for the statement that makes the .bak of that point, and end its session, as an administrator would."""
        query = (
            "SELECT s.session_id FROM sys.dm_exec_sessions AS s JOIN sys.dm_exec_requests AS r "
            f"ON r.session_id = s.session_id WHERE s.program_name LIKE N'perennial % {point}' "
            "AND r.command LIKE N'BACKUP%'"
        )
        seen: list[tuple[Any, ...]] = []

        def is_running() -> bool:
            seen.extend(self.sql.run(query))
            return bool(seen)

        wait_until(is_running, within(10), f"no backup of {point} was seen")
        self.sql.run(f"KILL {seen[0][0]}")


async def _forget() -> None:
    memories.pop()


WorldApart = Callable[[], AbstractContextManager[World]]


@contextmanager
def new_world(
    monkeypatch: pytest.MonkeyPatch, config: Path, servers: Servers, hosts: Loan, kept: Collection[str]
) -> Iterator[World]:
    """A world with the tenant `acme` for a block, after which the server has no databases but those `kept`."""
    set_world(monkeypatch, config, servers)
    with asyncio.Runner() as runner:
        made = World(servers.cloud, servers.storage, runner, servers.sql, hosts, config)
        made.add_tenant("acme")
        yield made
        runner.run(close_clients())
        made.drop_databases(but=kept)


@pytest.fixture(scope="session")
def world_apart(
    tmp_path_factory: pytest.TempPathFactory,
    lab_cloud_server: LabCloud,
    lab_storage_server: LabStorage,
    lab_sql_server_process: LabSqlServer,
    all_hosts: Hosts,
    kept_databases: set[str],
) -> WorldApart:
    """Makes a world for a block, of no test: for a journey that is carried out once and looked at by many tests."""

    @contextmanager
    def apart() -> Iterator[World]:
        for server in (lab_cloud_server, lab_storage_server, lab_sql_server_process):
            server.ensure_running()
        servers = Servers(lab_cloud_server, lab_storage_server, lab_sql_server_process, lab_storage_server.bucket)
        config, loan = tmp_path_factory.mktemp("world-apart"), Loan(all_hosts)
        with pytest.MonkeyPatch.context() as patch, new_world(patch, config, servers, loan, kept_databases) as made:
            yield made
        loan.give_back()

    return apart


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, servers: Servers, hosts: Loan, kept_databases: set[str]
) -> Iterator[World]:
    """A lab with the tenant `acme` in it."""
    with new_world(monkeypatch, tmp_path, servers, hosts, kept_databases) as made:
        yield made
