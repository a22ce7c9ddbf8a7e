"""The tasks that queue backups: one partition of the asset for each tenant, and nothing announced for nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.execution_time.task_runner import _serialize_outlet_events

from include.rules.points.partition_keys import join_keys
from perennial.backup import dispatch
from perennial.backup.operators import QueueBackupsOperator

MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def announced(events: OutletEventAccessors) -> list[str]:
    """The keys of the task's events, in the order in which its worker tells them to the API server."""
    return [str(event["partition_key"]) for event in _serialize_outlet_events(events)]


def queue(monkeypatch: pytest.MonkeyPatch, keys: dict[str, list[str]], *, only_missing: bool) -> list[str]:
    """Run the task on the day of MOMENT; `keys` are those of the tenants due and of those missing."""

    def keys_of(name: str) -> Any:
        def read(moment: datetime) -> list[str]:
            assert moment == MOMENT
            return keys[name]

        return read

    monkeypatch.setattr(dispatch, "partitions_due", keys_of("due"))
    monkeypatch.setattr(dispatch, "partitions_missing", keys_of("missing"))
    events = OutletEventAccessors()
    context: Any = {"dag_run": SimpleNamespace(run_after=MOMENT), "outlet_events": events}
    returned = QueueBackupsOperator(task_id="queue", only_missing=only_missing).execute(context)
    assert announced(events) == list(join_keys(returned))
    return returned


KEYS = {"due": ["acme|daily|2026-11-23", "globex|daily|2026-11-23"], "missing": ["globex|daily|2026-11-23"]}


@pytest.mark.parametrize(("only_missing", "name"), [(False, "due"), (True, "missing")])
def test_each_tenant_gets_a_partition(monkeypatch: pytest.MonkeyPatch, only_missing: bool, name: str) -> None:
    assert queue(monkeypatch, KEYS, only_missing=only_missing) == KEYS[name]


def test_runs_are_asked_for_in_the_order_of_the_register(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"tenant-{number:04}|daily|2026-11-23" for number in range(400)]
    assert len(join_keys(keys)) > 15
    assert queue(monkeypatch, {"due": keys, "missing": []}, only_missing=False) == keys


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
    events = OutletEventAccessors()
    context: Any = {"dag_run": SimpleNamespace(run_after="no moment"), "outlet_events": events}
    with pytest.raises(AttributeError):
        task.execute(context)
    assert announced(events) == []
