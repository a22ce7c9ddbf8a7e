"""A first step that is cleared alone: it would begin what no other step of its run goes on with."""

from __future__ import annotations

from typing import Final

from include.rules.errors import RefusedError
from perennial.steps.task_states import DEFERRED, task_states
from perennial.steps.trigger import StepTrigger

OTHERS: Final = frozenset({"preview", "approval", "close"})
"""Tasks that come before `open`, and its teardown: Airflow clears that with it."""

AT_WORK: Final = frozenset({DEFERRED, "running"})
ENDED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


async def refuse_alone(trigger: StepTrigger) -> None:
    """Refuse to begin a run again whose other steps are at work, or would not follow.

    Where Airflow cannot be asked it is not refused.

    Raises:
        RefusedError: which says what to clear.
    """
    states, own = await task_states(trigger.task_instance), trigger.step_id
    if states is None:
        return
    at_work = [task for task, state in states.items() if state in AT_WORK and task != own]
    if at_work:
        raise RefusedError(
            f"The task {own} was cleared while {', '.join(at_work)} of the same run is at work.",
            why="It would begin anew what that is in the midst of; nothing was done.",
            todo="Wait for the run to end, or mark it as failed; then clear this task with all tasks after it.",
        )
    following = [state for task, state in states.items() if task not in {own, *OTHERS}]
    if following and all(state in ENDED for state in following):
        raise RefusedError(
            f"The task {own} was cleared alone: no other task of this run would go on with what it begins.",
            why="The tenant would be kept busy, and nothing would come of it; nothing was done.",
            todo="Clear this task again, with all tasks after it (downstream).",
        )
