"""Approvals on the real components: the plan that "Required actions" shows is what is carried out."""

from __future__ import annotations

import pytest

from tests.stack.test_restores import back_up
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.sweep, pytest.mark.timeout(900)]


def previewed_anew(stack: RunningStack, run: str) -> None:
    """Clear the task `preview` alone, as an operator who wants to see the newest point, and wait for it."""
    stack.api.clear("restore", run, ["preview"], alone=True)
    stack.wait_for_task("restore", run, "preview", {"deferred"})
    stack.wait_for_task("restore", run, "preview", {"success"})


def test_the_plan_that_was_shown_is_carried_out_also_when_it_is_shown_once_more(stack: RunningStack) -> None:
    back_up(stack, "initech")
    before = stack.fingerprint("initech")
    run = stack.trigger("restore", tenant="initech", confirm="initech", approval=True, what="database")
    stack.wait_for_task("restore", run, "approval", {"awaiting_input"})
    previewed_anew(stack, run)
    stack.answer("restore", run, "Approve")
    assert stack.wait_for_run("restore", run) == "success", stack.log("restore", run, "close")
    assert stack.fingerprint("initech") == before
