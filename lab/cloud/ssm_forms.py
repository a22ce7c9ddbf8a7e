"""Commands in the documents of the SSM API.

Limits of the output: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lab.cloud.command_records import UNFINISHED, Command, Invocation
from lab.cloud.documents import DOCUMENTS

STDOUT_CHARACTERS, STDERR_CHARACTERS, PLUGIN_CHARACTERS = 24_000, 8_000, 2_500


def command_summary(command: Command) -> dict[str, Any]:
    """A command as SendCommand and ListCommands show it."""
    states = [invocation.status for invocation in command.invocations.values()]
    unfinished = [state for state in UNFINISHED if state in states]
    failed = [state for state in ("Failed", "TimedOut", "Cancelled") if state in states]
    status = (unfinished or failed or ["Success"])[0]
    return {
        "CommandId": command.command_id,
        "DocumentName": command.document,
        "Comment": command.comment,
        "Parameters": {"commands": command.lines},
        "InstanceIds": list(command.invocations),
        "RequestedDateTime": command.requested_at,
        "ExpiresAfter": command.requested_at + timedelta(seconds=command.delivery_seconds + command.execution_seconds),
        "TimeoutSeconds": command.delivery_seconds,
        "Status": status,
        "StatusDetails": status,
        "TargetCount": len(states),
        "CompletedCount": sum(state not in UNFINISHED for state in states),
        "ErrorCount": sum(state in ("Failed", "TimedOut") for state in states),
        "DeliveryTimedOutCount": 0,
    }


def invocation_summary(command: Command, invocation: Invocation, details: bool = False) -> dict[str, Any]:
    """A run on one host as ListCommandInvocations shows it, with the start of its output when `details` are asked."""
    answer: dict[str, Any] = {
        "CommandId": command.command_id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": command.document,
        "RequestedDateTime": command.requested_at,
        "Status": invocation.status,
        "StatusDetails": invocation.status_details,
    }
    if details:
        plugin = {
            "Name": DOCUMENTS[command.document].plugin,
            "Status": invocation.status,
            "StatusDetails": invocation.status_details,
            "ResponseCode": invocation.response_code,
            "ResponseStartDateTime": invocation.started_at,
            "ResponseFinishDateTime": invocation.ended_at,
            "Output": invocation.output("stdout", PLUGIN_CHARACTERS),
        }
        answer["CommandPlugins"] = [plugin]
    return answer


def invocation_output(command: Command, invocation: Invocation) -> dict[str, Any]:
    """A run on one host as GetCommandInvocation shows it."""
    return {
        **invocation_summary(command, invocation),
        "PluginName": DOCUMENTS[command.document].plugin,
        "ResponseCode": invocation.response_code,
        "ExecutionStartDateTime": _iso(invocation.started_at),
        "ExecutionElapsedTime": invocation.elapsed,
        "ExecutionEndDateTime": _iso(invocation.ended_at),
        "StandardOutputContent": invocation.output("stdout", STDOUT_CHARACTERS),
        "StandardErrorContent": invocation.output("stderr", STDERR_CHARACTERS),
    }


def _iso(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""
