"""The steps of a run of retention, as a test takes them by hand, and a tenant whose plan wants an approval."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any
from unittest.mock import patch

import pytest
from airflow.triggers.base import TaskFailedEvent, TriggerEvent

from include.rules.retention.reports import FleetReport
from perennial.hooks.aws.clients import close_clients
from perennial.hooks.register import read_register
from perennial.retention import steps
from perennial.retention.fleet import Retention
from perennial.retention.steps import CarryOutRetentionTrigger, PreviewRetentionTrigger
from perennial.steps.trigger import StepResult, StepTrigger
from tests.support.retention import DAY, NOW, Stock
from tests.support.triggers import trigger_of
from tests.support.vaults import AWS_CONNECTION


def preview(stock: Stock, run_id: str = "one", **fields: str) -> dict[str, Any]:
    """The task `preview` of a run for acme, with the tasks it skips."""
    form_fields = {"tenant": "acme", "only_report": "False", "approval_task": "approval", **fields}
    trigger = trigger_of(PreviewRetentionTrigger, run_id, "retention", **form_fields)
    result = at_now(stock, trigger)
    return {**result, "skipped": trigger.xcoms(result)["skipmixin_key"]["skipped"]}


def carry_out(stock: Stock, run_id: str = "one", **fields: str) -> dict[str, Any]:
    """The task `carry_out` of a run, for acme unless `fields` say otherwise."""
    form_fields = {"tenant": "acme", "only_report": "False", **fields}
    return at_now(stock, trigger_of(CarryOutRetentionTrigger, run_id, "retention", **form_fields))


def retain_one(stock: Stock, tenant: str) -> FleetReport:
    """A run for one tenant, to the report."""

    async def run() -> FleetReport:
        retention = Retention(stock.vault, await read_register(stock.vault.settings), "test/retention/one", NOW)
        shown, _ = await retention.preview(tenant)
        return await retention.run_for_tenant(shown)

    report: FleetReport = stock.run(run())
    return report


@contextmanager
def asking_elsewhere(stock: Stock) -> Iterator[None]:
    """Perennial's connection names another Region."""
    variable = f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}"
    connection = json.loads(os.environ[variable])
    elsewhere = {**connection, "extra": {**connection["extra"], "region_name": "ap-southeast-2"}}
    with pytest.MonkeyPatch.context() as patched:
        stock.run(close_clients())
        patched.setenv(variable, json.dumps(elsewhere))
        yield
        stock.run(close_clients())


class ClockAtNow(datetime):
    """A clock that stands at `NOW`, for which the points of a test are made: the hour and the day on which the test
    runs mean nothing to it.
    """

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW.astimezone(tz)


def at_now(stock: Stock, trigger: StepTrigger) -> StepResult:
    """Run a step of retention as if it were `NOW`."""
    with patch.object(steps, "datetime", ClockAtNow):
        result: StepResult = stock.run(trigger.work_within_deadline())
    return result


def failure_at_now(stock: Stock, trigger: StepTrigger) -> str:
    """What a step of retention says that fails at `NOW`, as a triggerer hands it on."""

    async def run() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    with patch.object(steps, "datetime", ClockAtNow):
        (event,) = stock.run(run())
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    return str(event.xcoms["failure"])


@pytest.fixture
def too_many(stock: Stock) -> Stock:
    """A tenant whose policy has become so short that ten points would expire at once; those have no snapshots."""
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 3)
    stock.add_daily(NOW - 60 * DAY, 10, roles=())
    return stock
