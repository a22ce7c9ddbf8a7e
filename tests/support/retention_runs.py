"""The steps of a run of retention, as a test takes them by hand, and a tenant whose plan wants an approval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from perennial.retention.steps import CarryOutRetentionTrigger, PreviewRetentionTrigger
from tests.support.retention import DAY, Stock
from tests.support.triggers import trigger_of


def preview(stock: Stock, run_id: str = "one", **fields: str) -> dict[str, Any]:
    """The task `preview` of a run for acme, with the tasks it skips."""
    form_fields = {"tenant": "acme", "only_report": "False", "approval_task": "approval", **fields}
    trigger = trigger_of(PreviewRetentionTrigger, run_id, "retention", **form_fields)
    result = stock.run(trigger.work_within_deadline())
    return {**result, "skipped": trigger.xcoms(result)["skipmixin_key"]["skipped"]}


def carry_out(stock: Stock, run_id: str = "one", **fields: str) -> dict[str, Any]:
    """The task `carry_out` of a run, for acme unless `fields` say otherwise."""
    form_fields = {"tenant": "acme", "only_report": "False", **fields}
    result: dict[str, Any] = stock.run(
        trigger_of(CarryOutRetentionTrigger, run_id, "retention", **form_fields).work_within_deadline()
    )
    return result


def today() -> datetime:
    """The steps take the clock's own time."""
    return datetime.now(UTC)


@pytest.fixture
def too_many(stock: Stock) -> Stock:
    """A tenant whose policy has become so short that ten points would expire at once."""
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    stock.add_daily(today(), 3)
    stock.add_daily(today() - 60 * DAY, 10)
    return stock
