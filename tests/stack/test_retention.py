"""Retention on the real components: the fleet's run, a plan that waits for a person, and a hold with its author."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.settings import VAULT_BUCKET
from tests.stack.holdings import client, lease_of
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(800)]


def run_to_its_end(stack: RunningStack, dag_id: str, task: str, **conf: Any) -> str:
    """Start a run, wait for its success, and return the log of a task of it."""
    run = stack.trigger(dag_id, **conf)
    state, log = stack.wait_for_run(dag_id, run), stack.log(dag_id, run, task)
    assert state == "success", log
    return log


def add_old_points(stack: RunningStack, like: dict[str, Any], count: int) -> list[str]:
    """Daily points of one week of the year before last, the newest first, as copies of a manifest without its parts.

    Nothing but their year keeps any of them: on no day of this year do they fall into a week or month that is kept.
    """
    s3, names = client(stack.settings, "s3"), []
    newest = datetime(datetime.now(UTC).year - 2, 6, 28, 2, tzinfo=UTC)
    for number in range(count):
        moment = newest - timedelta(days=number)
        names.append(f"{like['tenant']}-daily-{moment:%Y%m%d}")
        parts = {"web_snapshot": None, "db_snapshot": None, "bak": None}
        copy = {**like, "id": names[-1], "kind": "daily", "time": moment.isoformat(), "parts": parts, "claim": None}
        copy["left_out"] = dict.fromkeys(parts, "a copy")
        key = f"recovery-points/{like['tenant']}/{names[-1]}/manifest.json"
        s3.put_object(Bucket=VAULT_BUCKET, Key=key, Body=json.dumps(copy).encode())
    return names


def manifests(stack: RunningStack, names: list[str]) -> dict[str, dict[str, Any]]:
    return {manifest["id"]: manifest for manifest in stack.manifests("initech") if manifest["id"] in names}


def states(stack: RunningStack, names: list[str]) -> set[str]:
    return {manifest["state"] for manifest in manifests(stack, names).values()}


@pytest.mark.usefixtures("one_day")
def test_the_fleet_goes_on_without_anybody_and_one_tenant_after_an_approval(stack: RunningStack) -> None:
    run = stack.trigger("manual_backup", tenant="initech")
    assert stack.wait_for_run("manual_backup", run) == "success"
    newest = max(stack.manifests("initech"), key=lambda manifest: str(manifest["time"]))
    of_the_year, kept, *others = add_old_points(stack, newest, 7)

    form = {"tenant": "initech", "recovery_point": kept}
    run_to_its_end(stack, "hold_recovery_point", "hold", **form, reason="case 4711")
    hold = manifests(stack, [kept])[kept]["hold"]
    assert hold["reason"] == "case 4711"
    assert hold["author"]
    assert not hold["author"].startswith("unknown")

    assert "MAX_DELETE" in run_to_its_end(stack, "retention", "carry_out", dry_run=True)
    run = stack.trigger("retention")
    assert stack.wait_for_run("retention", run) == "failed"
    assert "Start `retention` with `tenant: initech`" in stack.log("retention", run, "carry_out")
    assert stack.task_states("retention", run)["approval"] == "skipped"
    assert states(stack, [kept, *others]) == {"verified"}
    assert stack.worker_starts()["retention"] == 0

    run = stack.trigger("retention", tenant="initech")
    stack.wait_for_task("retention", run, "approval", {"awaiting_input"})
    assert lease_of(stack, "initech")["owner"] is None, "a lease is held while a person is waited for"
    stack.answer("retention", run, "Approve")
    assert stack.wait_for_run("retention", run) == "success"
    assert states(stack, others) == {"expiring"}
    assert states(stack, [kept, of_the_year]) == {"verified"}
    run_to_its_end(stack, "lift_hold", "lift", **form)
    assert manifests(stack, [kept])[kept]["hold"] is None
