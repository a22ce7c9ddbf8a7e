"""A .bak that a preview reads back: a bad day of the network plans nothing, and never the snapshot instead."""

from __future__ import annotations

from typing import Any

import pytest

from include.rules.errors import UnavailableError
from include.rules.restore.request import DatabaseSource
from tests.support.restores import backed_up
from tests.support.steps import RESTORE
from tests.support.world import World

__all__ = ["backed_up"]
pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("rule", "advice"),
    [
        ({"number": 3203, "os_error": 64, "percent": 30}, "network"),
        ({"number": 3203, "os_error": 121}, "network"),
        ({"number": 3201, "os_error": 1236}, "network"),
        ({"number": 3201, "os_error": 5}, "CREDENTIAL"),
        ({"number": 3203, "os_error": 31}, "Mend what SQL Server complains about"),
    ],
)
def test_a_backup_that_cannot_be_read_plans_nothing(
    lent_world: World, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any], advice: str
) -> None:
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "0.02")
    with (
        lent_world.sql.failing("sql:VerifyOnly", times=None, **rule),
        pytest.raises(UnavailableError, match=rf"cannot be used for this restore.*{advice}.*start the restore again"),
    ):
        lent_world.run_restore_step(RESTORE[0])
    assert lent_world.restore_record() is None


@pytest.mark.parametrize("rule", [{"number": 3203, "os_error": 64}, {"number": 3189}])
def test_a_backup_that_could_not_be_read_once_is_restored_from(
    lent_world: World, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any]
) -> None:
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "0.02")
    with lent_world.sql.failing("sql:VerifyOnly", **rule):
        lent_world.run_restore_step(RESTORE[0])
    record = lent_world.restore_record()
    assert record
    assert record.plan.database_from is DatabaseSource.BACKUP_FILE


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        ("sql:FileListOnly", {"number": 3203, "os_error": 38}),
        ("sql:Restore", {"number": 3203, "os_error": 64, "percent": 50}),
        ("sql:Restore", {"number": 3189, "percent": 50}),
        ("sql:CheckDatabase", {"number": 845, "severity": 17, "message": "Time-out on a buffer latch."}),
    ],
)
def test_a_restore_goes_on_after_what_may_pass(backed_up: World, action: str, rule: dict[str, Any]) -> None:
    rows = backed_up.rows("acme")
    with backed_up.sql.failing(action, **rule) as faults:
        backed_up.restore(what="database")
        assert len(faults.report()["hits"]) == 1
    assert backed_up.rows("acme") == rows
