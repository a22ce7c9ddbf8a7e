"""The tasks that queue backups: one partition of the asset for each tenant, and nothing announced for nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.rules.points.partition_keys import split_key
from perennial.backup import dispatch
from perennial.backup.operators import BACKUPS_DUE, QueueBackupsOperator

MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Outlet:
    """The events of an asset, as a task gets them."""

    def __init__(self) -> None:
        self.partitions: list[str] = []

    def add_partitions(self, keys: list[str]) -> None:
        self.partitions += keys


def queue(monkeypatch: pytest.MonkeyPatch, keys: dict[str, list[str]], *, only_missing: bool) -> list[str]:
    """Run the task on the day of MOMENT; `keys` are those of the tenants due and of those missing."""

    def keys_of(name: str) -> Any:
        def read(moment: datetime) -> list[str]:
            assert moment == MOMENT
            return keys[name]

        return read

    monkeypatch.setattr(dispatch, "partitions_due", keys_of("due"))
    monkeypatch.setattr(dispatch, "partitions_missing", keys_of("missing"))
    outlet = Outlet()
    context: Any = {"dag_run": SimpleNamespace(run_after=MOMENT), "outlet_events": {BACKUPS_DUE: outlet}}
    returned = QueueBackupsOperator(task_id="queue", only_missing=only_missing).execute(context)
    assert [key for joined in outlet.partitions for key in split_key(joined)] == returned
    assert len(outlet.partitions) <= 1  # one event for a few tenants
    return returned


KEYS = {"due": ["acme|daily|2026-11-23", "globex|daily|2026-11-23"], "missing": ["globex|daily|2026-11-23"]}


@pytest.mark.parametrize(("only_missing", "name"), [(False, "due"), (True, "missing")])
def test_each_tenant_gets_a_partition(monkeypatch: pytest.MonkeyPatch, only_missing: bool, name: str) -> None:
    assert queue(monkeypatch, KEYS, only_missing=only_missing) == KEYS[name]


@pytest.mark.parametrize(
    ("only_missing", "message"),
    [
        (False, "The register has no tenant that is due."),
        (True, "Every tenant has its verified recovery point of today."),
    ],
)
def test_nothing_is_announced_for_nobody(monkeypatch: pytest.MonkeyPatch, only_missing: bool, message: str) -> None:
    with pytest.raises(AirflowSkipException, match=message):
        queue(monkeypatch, {"due": [], "missing": []}, only_missing=only_missing)


def test_a_dispatch_that_has_failed_is_tried_again_and_announces_nothing_before() -> None:
    task = QueueBackupsOperator(task_id="queue")
    assert (task.retries, task.retry_delay) == (3, timedelta(seconds=20))
    outlet = Outlet()
    context: Any = {"dag_run": SimpleNamespace(run_after="no moment"), "outlet_events": {BACKUPS_DUE: outlet}}
    with pytest.raises(AttributeError):
        task.execute(context)
    assert outlet.partitions == []
