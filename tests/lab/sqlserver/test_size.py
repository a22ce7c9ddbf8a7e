"""A backup larger than the memory that the SQL Server stand-in may take for it."""

from __future__ import annotations

import pytest

from bench.lab_backup import measure
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage

pytestmark = pytest.mark.lab

MEGABYTE = 1_048_576


def test_a_backup_is_streamed_and_never_held(own_sql_server: LabSqlServer, lab_storage: LabStorage) -> None:
    """The stand-in has 100 MB when it has nothing to do; of the 200 MB that pass it must hold next to nothing."""
    measured = measure(own_sql_server, lab_storage, megabytes=200)
    assert measured.comes_back
    assert measured.memory["SQL Server"] < 250 * MEGABYTE
