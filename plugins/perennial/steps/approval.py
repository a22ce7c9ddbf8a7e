"""Asks a person to approve what another task has previewed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from include.rules.points.approvals import APPROVE_WITHIN, seal_in

SEAL = "plan"
"""Key under which the approval tells the seal of the plan that it shows."""

APPROVED = f"{{{{ ti.xcom_pull(task_ids='approval', key='{SEAL}', map_indexes=-1) or '' }}}}"
"""Template of the seal of the plan that was approved, by a task of that name; empty where it was skipped."""


class ApprovePreviewOperator(ApprovalOperator):
    """Waits under "Required actions" until somebody approves a preview; what is turned down has failed.

    The task waits for APPROVE_WITHIN in the state `awaiting_input`, with no worker and no trigger. An answer within a
    few seconds can meet a race of Airflow 3.3: the executor's late word that the asking process has ended then fails
    the task, although it was answered (apache/airflow #66374). So it asks again, and only a person's No, or nobody's
    answer, is final.

    Airflow keeps the question of a task for good, cleared or not (execution_api/routes/hitl.py, `upsert_hitl_detail`).
    So it is the seal of the question that stands there which is told to whoever carries the plan out.

    Args:
        preview_task: The task that shows the preview: `preview` in its result, Markdown.
    """

    def __init__(self, *, preview_task: str, **kwargs: Any) -> None:
        again = {"retries": 3, "retry_delay": timedelta(seconds=5)}
        # What was turned down must not look like what was done.
        super().__init__(fail_on_reject=True, **{**again, "response_timeout": APPROVE_WITHIN, **kwargs})
        self.preview_task = preview_task

    def execute(self, context: Context) -> None:
        """Put the question, with the preview as its text.

        Raises:
            AirflowFailException: when Airflow shows the question of another plan, and would go on to show it.
        """
        result = context["ti"].xcom_pull(task_ids=self.preview_task, key="return_value")
        # What a triggerer reports reaches a worker as the JSON text of it.
        self.body = str((json.loads(result) if isinstance(result, str) else result)["preview"])
        shown, wanted = seal_in(self._question_that_stands(context)), seal_in(self.body)
        if shown != wanted:
            raise AirflowFailException(
                f"Required actions shows the plan {shown}, and Airflow keeps the question that it has put once: the "
                f"plan of the preview is {wanted} now. Nobody would see what is approved, so nothing was done. Start "
                "this run again from its form, and look at its preview."
            )
        context["ti"].xcom_push(key=SEAL, value=shown)
        super().execute(context)

    def _question_that_stands(self, context: Context) -> str:
        """Put the question where none stands yet; the text of the one that stands then."""
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        question: Any = SUPERVISOR_COMMS.send(
            CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                defaults=self.defaults,
                multiple=self.multiple,
                params=self.serialized_params,
                assigned_users=[],
            )
        )
        return question.body or ""

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
