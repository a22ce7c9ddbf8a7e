"""What nobody wants to see: a tenant's files deleted and changed, and a table dropped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab.settings import LabSettings
from lab.sql_client import connect

DELETED_FOLDER = "releases/1/i18n"
CHANGED_FILE = "config/site.json"
DROPPED_TABLE = "order_lines"


def wreck(settings: LabSettings, entry: dict[str, Any]) -> list[str]:
    """Damage a seeded tenant, all the more if it is damaged already; returns what was done, a sentence each.

    Args:
        entry: The tenant's entry in the register.

    Raises:
        LookupError: nothing was there to damage, or its database cannot be opened and nothing was done.
        ConnectionError: the SQL Server does not answer, and nothing was done.
    """
    web, database, done = Path(entry["web"]["path"]), entry["database"]["name"], []
    with connect(settings, database) as connection:  # first: without it nothing is done
        if (web / DELETED_FOLDER).exists():
            shutil.rmtree(web / DELETED_FOLDER)
            done.append(f"{DELETED_FOLDER} and all below it deleted")
        if (web / CHANGED_FILE).exists():
            (web / CHANGED_FILE).write_text("overwritten by mistake")
            done.append(f"{CHANGED_FILE} overwritten")
        cursor = connection.cursor()
        cursor.execute(f"SELECT 1 FROM sys.tables WHERE name = N'{DROPPED_TABLE}'")  # noqa: S608 - a constant
        if cursor.fetchone():
            cursor.execute(f"DROP TABLE dbo.{DROPPED_TABLE}")
            done.append(f"table {DROPPED_TABLE} of {database} dropped")
    if not done:
        raise LookupError(f"Nothing of tenant {entry['id']} was there to wreck: restore it first.")
    return done
