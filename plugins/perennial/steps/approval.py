"""Asks a person to approve what another task has previewed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from include.rules.points.requests import APPROVE_WITHIN


class ApprovePreviewOperator(ApprovalOperator):
    """Waits under "Required actions" until somebody approves a preview; what is turned down has failed.

    The task waits for APPROVE_WITHIN in the state `awaiting_input`, with no worker and no trigger. An answer within a
    few seconds can meet a race of Airflow 3.3: the executor's late word that the asking process has ended then fails
    the task, although it was answered (apache/airflow #66374). So it asks again, and only a person's No, or nobody's
    answer, is final.

    Args:
        preview_task: The task that shows the preview: `preview` in its result, Markdown.
    """

    def __init__(self, *, preview_task: str, **kwargs: Any) -> None:
        again = {"retries": 3, "retry_delay": timedelta(seconds=5)}
        # What was turned down must not look like what was done.
        super().__init__(fail_on_reject=True, **{**again, "response_timeout": APPROVE_WITHIN, **kwargs})
        self.preview_task = preview_task

    def execute(self, context: Context) -> None:
        """Put the question, with the preview as its text."""
        result = context["ti"].xcom_pull(task_ids=self.preview_task, key="return_value")
        # What a triggerer reports reaches a worker as the JSON text of it.
        self.body = str((json.loads(result) if isinstance(result, str) else result)["preview"])
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer.

        Raises:
            AirflowFailException: when it was No, or nobody has answered in time: asking again would be pestering.
        """
        try:
            return super().execute_complete(context, event)
        except HITLRejectException as error:
            raise AirflowFailException("It was turned down: nothing was done.") from error
        except HITLTimeoutError as error:
            raise AirflowFailException("Nobody has answered in time: nothing was done.") from error
