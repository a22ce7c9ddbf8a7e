"""Asks a person to approve what another task has previewed."""

from __future__ import annotations

import json
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.definitions.context import Context


class ApprovePreviewOperator(ApprovalOperator):
    """Waits under "Required actions" until somebody approves a preview; what is turned down has failed.

    The task waits in the state `awaiting_input`, with no worker and no trigger.

    Args:
        preview_task: The task that shows the preview: `preview` in what it tells, Markdown.
    """

    def __init__(self, *, preview_task: str, **kwargs: Any) -> None:
        # What was turned down must not look like what was done.
        super().__init__(fail_on_reject=True, **kwargs)
        self.preview_task = preview_task

    def execute(self, context: Context) -> None:
        """Put the question, with the preview as its text."""
        told = context["ti"].xcom_pull(task_ids=self.preview_task, key="return_value")
        # What a triggerer has told reaches a worker as the JSON text of it.
        self.body = str((json.loads(told) if isinstance(told, str) else told)["preview"])
        super().execute(context)
