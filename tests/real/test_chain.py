"""A backup and a restore against a real AWS account and a real SQL Server, where the environment names them.

The tenant is overwritten: let it be one that nobody needs.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from uuid import uuid4

import pymssql
import pytest
import yaml

from include.rules.points.transitions import State
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from tests.real.conftest import AWS, SQL, aws_extra, given
from tests.support.steps import CHAIN, RESTORE, restore_form
from tests.support.triggers import trigger_of
from tests.support.world import PLANS

pytestmark = [pytest.mark.lab, pytest.mark.real, pytest.mark.timeout(7200)]

DEADLINE = 3600


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """The tenant of PERENNIAL_TEST_TENANT, in settings that point to the real account and server."""
    key, secret, region = given(*AWS)
    host, login, password = given(*SQL)
    vault, backup_url, file = given("PERENNIAL_TEST_VAULT", "PERENNIAL_TEST_BACKUP_URL", "PERENNIAL_TEST_TENANT")
    entry: dict[str, object] = yaml.safe_load(Path(file).read_text())
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump({"tenants": [{**entry, "plan": "standard"}]}))
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump({"plans": PLANS}))
    extra = {"region_name": region, "aws_session_token": os.environ.get("PERENNIAL_TEST_AWS_SESSION_TOKEN")}
    aws = {"conn_type": "aws", "login": key, "password": secret, "extra": {**extra, **aws_extra()}}
    port = int(os.environ.get("PERENNIAL_TEST_SQL_PORT", "1433"))
    sql = {"conn_type": "mssql", "host": host, "port": port, "login": login, "password": password}
    run = uuid4().hex[:8]
    for name, value in {
        "AIRFLOW_CONN_AWS_REAL": json.dumps(aws),
        f"AIRFLOW_CONN_{_database(entry)['connection'].upper()}": json.dumps(sql),
        "PERENNIAL_AWS_CONN_ID": "aws_real",
        "PERENNIAL_VAULT": f"{vault}/{run}",
        "PERENNIAL_BACKUP_URL": f"{backup_url}/{run}",
        "PERENNIAL_CONFIG": str(tmp_path),
        "PERENNIAL_DEPLOYMENT": "test",
    }.items():
        monkeypatch.setenv(name, value)
    return entry


def test_a_row_deleted_after_the_backup_is_back_after_the_restore(tenant: dict[str, object]) -> None:
    database, name = _database(tenant)["name"], str(tenant["id"])
    table = f"perennial_{uuid4().hex[:8]}"
    _sql(database, f"CREATE TABLE dbo.{table} (n INT)", f"INSERT INTO dbo.{table} VALUES (4711)")
    assert asyncio.run(_back_up(name)) is State.VERIFIED
    _sql(database, f"DROP TABLE dbo.{table}")
    asyncio.run(_restore(name))
    assert _sql(database, f"SELECT n FROM dbo.{table}") == [(4711,)]
    _sql(database, f"DROP TABLE dbo.{table}")


async def _back_up(tenant: str) -> State:
    request = f"{tenant}|daily|2026-11-23"
    async with closing_clients():
        for step, fields in CHAIN:
            await trigger_of(step, request=request, deadline=DEADLINE, **fields).work_within_deadline()
        version = await Vault(Settings.from_environment()).points.get(tenant, f"{tenant}-daily-20261123")
    assert version
    return version.value.state


async def _restore(tenant: str) -> None:
    form = restore_form(tenant=tenant)
    async with closing_clients():
        for step, fields in RESTORE:
            await trigger_of(step, "restore-1", "restore", deadline=DEADLINE, **form, **fields).work_within_deadline()


def _database(entry: dict[str, object]) -> dict[str, str]:
    database = entry["database"]
    assert isinstance(database, dict)
    return database


def _sql(database: str, *statements: str) -> list[tuple[object, ...]]:
    host, login, password = given(*SQL)
    port = os.environ.get("PERENNIAL_TEST_SQL_PORT", "1433")
    with pymssql.connect(server=host, port=port, user=login, password=password, database=database) as connection:
        connection.autocommit(True)
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
