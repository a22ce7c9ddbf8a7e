"""What Airflow says of the tasks of a run, asked from inside a triggerer."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from asgiref.sync import sync_to_async

log = logging.getLogger(__name__)

DEFERRED = "deferred"
"""State of a task whose trigger is at work, whichever triggerer has it."""
FAILED = "failed"
"""State of a task that has failed itself, or was marked so by a person."""


async def task_states(instance: Any) -> Mapping[str, str | None] | None:
    """The state of every task of the instance's run, by task id; None where there is no Airflow to ask.

    Args:
        instance: The task instance of a trigger.
    """
    if instance is None:
        return None
    try:
        # Loads Airflow's task runner: only where it is asked for.
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        answer = await sync_to_async(RuntimeTaskInstance.get_task_states)(
            dag_id=instance.dag_id, run_ids=[instance.run_id]
        )
    except Exception as error:  # outside of a triggerer there is nobody who would answer, and no type says so
        log.debug("Airflow does not say how the run stands: %s", error)
        return None
    states: Mapping[str, str | None] = answer.get(instance.run_id, {})
    return states


async def failure_of(instance: Any, task_id: str) -> str:
    """What a failed task of the instance's run has failed with, as the UI shows it; empty when it has left no word."""
    from airflow.sdk.execution_time.xcom import XCom

    # Without the map index the triggerer asks for a slice, and waits for its answer for ever.
    failure = await sync_to_async(XCom.get_one)(
        key="failure", dag_id=instance.dag_id, task_id=task_id, run_id=instance.run_id, map_index=-1
    )
    try:
        return str(json.loads(failure) or "")  # what a triggerer has reported comes back as the JSON text of it
    except (TypeError, ValueError):
        return str(failure or "")
