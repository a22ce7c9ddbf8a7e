"""Fixtures: running servers of the lab, each shared by the tests of a process unless its name says `own`.

A test may kill a shared server: the next test finds it running all the same, whatever became of that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.testing.cloud import LabCloud
from lab.testing.server import new_settings
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage


@pytest.fixture(scope="session")
def lab_cloud_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """One lab cloud for all tests of a process; take `lab_cloud` instead, which clears the faults."""
    with LabCloud(new_settings(tmp_path_factory.mktemp("lab-cloud"))) as cloud:
        yield cloud


@pytest.fixture
def lab_cloud(lab_cloud_server: LabCloud) -> Iterator[LabCloud]:
    """A running lab cloud without faults. Shared with other tests: count only what your test made."""
    lab_cloud_server.ensure_running()
    yield lab_cloud_server
    lab_cloud_server.ensure_running()
    lab_cloud_server.clear_faults()


@pytest.fixture(scope="session")
def lab_storage_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStorage]:
    """One lab S3 for all tests of a process; take `lab_storage` instead, which clears the faults."""
    with LabStorage(new_settings(tmp_path_factory.mktemp("lab-storage"))) as storage:
        yield storage


@pytest.fixture
def lab_storage(lab_storage_server: LabStorage) -> Iterator[LabStorage]:
    """A running lab S3 without faults: write below a prefix of your own (`new_prefix`)."""
    lab_storage_server.ensure_running()
    yield lab_storage_server
    lab_storage_server.ensure_running()
    if lab_storage_server.faults.rules():
        lab_storage_server.faults.clear()


@pytest.fixture(scope="session")
def lab_sql_server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSqlServer]:
    """One SQL Server stand-in for all tests of a process; take `lab_sql_server` instead."""
    with LabSqlServer(new_settings(tmp_path_factory.mktemp("lab-sql-server"))) as server:
        yield server


@pytest.fixture
def lab_sql_server(lab_sql_server_process: LabSqlServer) -> LabSqlServer:
    """A running SQL Server stand-in, shared with other tests: use a database of your own (`new_database`)."""
    lab_sql_server_process.ensure_running()
    return lab_sql_server_process


@pytest.fixture
def own_sql_server(tmp_path: Path) -> Iterator[LabSqlServer]:
    """A SQL Server stand-in for one test alone, which may crash it."""
    with LabSqlServer(new_settings(tmp_path / "lab")) as server:
        yield server
