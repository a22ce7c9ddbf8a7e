"""What Airflow says of the tasks of a run, asked from inside a triggerer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from asgiref.sync import sync_to_async

log = logging.getLogger(__name__)

DEFERRED = "deferred"
"""State of a task whose trigger is at work, whichever triggerer has it."""


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
