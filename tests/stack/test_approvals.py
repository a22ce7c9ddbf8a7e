"""Approvals on the real components: what "Required actions" shows is what is carried out, or nothing is."""

from __future__ import annotations

import pytest

from tests.stack.test_backups import lease_of
from tests.stack.test_restores import assert_nothing_is_left, back_up, fingerprints
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.sweep, pytest.mark.timeout(900)]


def previewed_anew(stack: RunningStack, run: str) -> None:
    """Clear the task `preview` alone, as an operator who wants to see the newest point, and wait for it."""
    stack.api.clear("restore", run, ["preview"], alone=True)
    stack.wait_for_task("restore", run, "preview", {"deferred"})
    stack.wait_for_task("restore", run, "preview", {"success"})


def test_a_plan_that_nobody_has_seen_is_not_carried_out_by_an_answer_to_another(stack: RunningStack) -> None:
    back_up(stack, "acme")
    shown = stack.trigger("restore", tenant="acme", confirm="acme", approval=True)
    asked_again = stack.trigger("restore", tenant="acme", confirm="acme", approval=True, what="files")
    for run in (shown, asked_again):
        stack.wait_for_task("restore", run, "approval", {"awaiting_input"})
    back_up(stack, "acme")
    newest = max((m for m in stack.manifests("acme") if m["kind"] == "manual"), key=lambda m: str(m["time"]))["id"]
    before = fingerprints(stack)

    previewed_anew(stack, shown)
    stack.answer("restore", shown, "Approve")
    assert stack.wait_for_run("restore", shown) == "failed"
    refusal = stack.log("restore", shown, "open")
    assert "is not the one that was approved: recovery point: acme-manual-" in refusal
    assert f", now {newest};" in refusal
    assert "Start a new restore, and look at its preview." in refusal

    # Cleared with the preview, the task asks no new question: Airflow keeps the old one.
    stack.api.clear("restore", asked_again, ["preview"])
    assert stack.wait_for_run("restore", asked_again) == "failed"
    log = "".join(stack.log("restore", asked_again, "approval", number) for number in (1, 2))
    assert "Airflow keeps the question that it has put once" in log
    assert "Start this run again from its form" in log

    assert fingerprints(stack) == before
    assert lease_of(stack, "acme")["owner"] is None
    assert_nothing_is_left(stack)


def test_the_plan_that_was_shown_is_carried_out_also_when_it_is_shown_once_more(stack: RunningStack) -> None:
    back_up(stack, "initech")
    before = stack.fingerprint("initech")
    run = stack.trigger("restore", tenant="initech", confirm="initech", approval=True, what="database")
    stack.wait_for_task("restore", run, "approval", {"awaiting_input"})
    previewed_anew(stack, run)
    stack.answer("restore", run, "Approve")
    assert stack.wait_for_run("restore", run) == "success"
    assert stack.fingerprint("initech") == before
