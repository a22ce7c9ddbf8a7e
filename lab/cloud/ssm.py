"""SSM of the lab: the calls about commands and hosts, answered from what the hosts truly did; the rest is moto's.

Limits and defaults: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ssm import urls
from moto.ssm.exceptions import SSMException
from moto.ssm.responses import SimpleSystemManagerResponse

from lab.cloud.command_records import Command
from lab.cloud.commands import CommandRunner
from lab.cloud.constraints import complaint, violations
from lab.cloud.documents import DOCUMENTS, Document, platform_type
from lab.cloud.paging import page_of
from lab.cloud.ssm_forms import command_summary, invocation_output, invocation_summary
from lab.cloud.state import State

LARGEST_COMMAND = 64 * 1024
"""Bytes of a document with its parameters; what exactly Amazon counts is not said (SendCommand, errors)."""

_RUNNING = 16
_COMMANDS_PER_PAGE, _HOSTS_PER_PAGE = 50, 10


class LabSsmResponse(SimpleSystemManagerResponse):
    """SendCommand and what belongs to it."""

    cloud: ClassVar[State]
    runner: ClassVar[CommandRunner]

    def send_command(self) -> ActionResult:
        self._refuse_violations()
        name, instance_ids = self._get_param("DocumentName"), self._get_param("InstanceIds", [])
        document = DOCUMENTS.get(name)
        if document is None:
            raise SSMException("InvalidDocument", f"Document with name {name} does not exist.")
        if self._get_param("Targets"):
            raise SSMException("InvalidParameters", "The lab sends commands to InstanceIds only, not to Targets.")
        if not instance_ids:
            raise SSMException("InvalidInstanceId", "No instance was named.")
        if len(set(instance_ids)) < len(instance_ids):
            raise SSMException("DuplicateInstanceId", "An instance was named twice.")
        for instance_id in instance_ids:
            self._refuse_host(instance_id, document)
        command = self._asked_command(document.name, self._get_param("Parameters", {}))
        self.runner.send(command, instance_ids)
        return ActionResult({"Command": command_summary(command)})

    def _asked_command(self, document: str, parameters: dict[str, list[str]]) -> Command:
        unknown = parameters.keys() - {"commands", "workingDirectory", "executionTimeout"}
        if unknown or not parameters.get("commands"):
            raise SSMException("InvalidParameters", f"Unknown: {sorted(unknown)}. 'commands' must be given.")
        seconds = parameters.get("executionTimeout", ["3600"])[0]
        if not seconds.isdigit() or not 1 <= int(seconds) <= 172_800:
            raise SSMException("InvalidParameters", "executionTimeout is 1 to 172800 seconds.")
        if len(json.dumps(parameters)) > LARGEST_COMMAND:
            raise SSMException("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
        return Command(
            document=document,
            comment=self._get_param("Comment", ""),
            lines=parameters["commands"],
            working_directory=parameters.get("workingDirectory", [""])[0] or None,
            execution_seconds=float(seconds),
            delivery_seconds=self._get_int_param("TimeoutSeconds") or 3600,
        )

    def get_command_invocation(self) -> ActionResult:
        self._refuse_violations()
        command, instance_id = self._command(), self._get_param("InstanceId")
        plugin = self._get_param("PluginName")
        invocation = command.invocations.get(instance_id)
        if invocation is None:
            raise SSMException("InvocationDoesNotExist", f"Command {command.command_id} was not sent to {instance_id}.")
        if plugin not in (None, DOCUMENTS[command.document].plugin):
            raise SSMException("InvalidPluginName", f"The command has no plugin {plugin}.")
        return ActionResult(invocation_output(command, invocation))

    def list_command_invocations(self) -> ActionResult:
        self._refuse_violations()
        instance_id, details = self._get_param("InstanceId"), self._get_param("Details", False)
        invoked_after = self._invoked_after()
        invocations = [
            (command, invocation)
            for command in self._asked_commands()
            if command.requested_at > invoked_after
            for invocation in command.invocations.values()
            if instance_id in (None, invocation.instance_id)
        ]
        page, token = self._page(invocations, lambda entry: f"{_age_and_id(entry[0])} {entry[1].instance_id}")
        answers = [invocation_summary(command, invocation, details) for command, invocation in page]
        return ActionResult({"CommandInvocations": answers, "NextToken": token})

    def list_commands(self) -> ActionResult:
        self._refuse_violations()
        self._refuse_filters("Filters")
        instance_id = self._get_param("InstanceId")
        commands = [one for one in self._asked_commands() if instance_id is None or instance_id in one.invocations]
        page, token = self._page(commands, _age_and_id)
        return ActionResult({"Commands": [command_summary(command) for command in page], "NextToken": token})

    def cancel_command(self) -> EmptyResult:
        self._refuse_violations()
        command = self._command()
        instance_ids = self._get_param("InstanceIds", []) or list(command.invocations)
        for instance_id in instance_ids:
            if instance_id not in command.invocations:
                raise SSMException("InvalidInstanceId", f"Command {command.command_id} was not sent to {instance_id}.")
        self.runner.cancel(command, instance_ids)
        return EmptyResult()

    def describe_instance_information(self) -> ActionResult:
        self._refuse_violations()
        instance_ids: set[str] = set()
        for each_filter in self._get_param("Filters", []):
            if each_filter["Key"] != "InstanceIds":
                raise SSMException("InvalidFilterKey", "The lab filters hosts by InstanceIds only.")
            instance_ids.update(each_filter["Values"])
        self._refuse_filters("InstanceInformationFilterList")
        hosts = [host for host in self._running_instances() if not instance_ids or host.id in instance_ids]
        page, token = self._page(hosts, lambda instance: instance.id, _HOSTS_PER_PAGE)
        answers = [
            {
                "InstanceId": instance.id,
                "PingStatus": "Online",
                "LastPingDateTime": datetime.now(UTC),
                "PlatformType": platform_type(instance),
                "PlatformName": f"Perennial lab host ({platform_type(instance)})",
                "ResourceType": "EC2Instance",
                "IPAddress": instance.private_ip,
            }
            for instance in page
        ]
        return ActionResult({"InstanceInformationList": answers, "NextToken": token})

    def _command(self) -> Command:
        command_id = self._get_param("CommandId")
        if command_id not in self.cloud.commands:
            raise SSMException("InvalidCommandId", f"There is no command {command_id}.")
        return self.cloud.commands[command_id]

    def _asked_commands(self) -> list[Command]:
        return [self._command()] if self._get_param("CommandId") else list(self.cloud.commands.values())

    def _running_instances(self) -> list[Instance]:
        backend = ec2_backends[self.current_account][self.region]
        return [instance for instance in backend.all_instances() if instance.state_code == _RUNNING]

    def _refuse_host(self, instance_id: str, document: Document) -> None:
        instance = next((found for found in self._running_instances() if found.id == instance_id), None)
        if instance is None:
            raise SSMException(
                "InvalidInstanceId",
                f"Instances [[{instance_id}]] not in a valid state for account {self.current_account}",
            )

        if platform_type(instance) not in document.platforms:
            raise SSMException(
                "UnsupportedPlatformType",
                f"Cannot perform operation for instance id {instance_id} of platform type {platform_type(instance)}",
            )

    def _refuse_violations(self) -> None:
        """Refuse what the service model forbids."""
        if broken_rules := violations("ssm", self._get_action(), json.loads(self.body or "{}")):
            raise SSMException("ValidationException", complaint(broken_rules))

    def _invoked_after(self) -> datetime:
        """The moment of the filter InvokedAfter; the only one that the lab knows of commands."""
        invoked_after = datetime.min.replace(tzinfo=UTC)
        for each_filter in self._get_param("Filters", []):
            if each_filter["key"] != "InvokedAfter":
                raise SSMException("InvalidFilterKey", "The lab filters commands by InvokedAfter only.")
            try:
                invoked_after = datetime.strptime(each_filter["value"], "%Y-%m-%dT%H:%M:%S%z")
            except ValueError:
                raise SSMException("InvalidFilterValue", "InvokedAfter is a moment: 2026-11-26T06:00:00Z.") from None
        return invoked_after

    def _refuse_filters(self, parameter: str) -> None:
        if self._get_param(parameter):
            raise SSMException("InvalidFilterKey", f"The lab does not filter by {parameter} here.")

    def _page(self, found: list[Any], key: Any, usual: int = _COMMANDS_PER_PAGE) -> tuple[list[Any], str | None]:
        try:
            return page_of(found, key, self._get_int_param("MaxResults") or usual, self._get_param("NextToken"))
        except ValueError as error:
            raise SSMException("InvalidNextToken", str(error)) from error


def _age_and_id(command: Command) -> str:
    return f"{command.requested_at.isoformat()} {command.command_id}"


def install(state: State, runner: CommandRunner) -> None:
    """Make moto answer SSM with these calls from now on."""
    LabSsmResponse.cloud, LabSsmResponse.runner = state, runner
    urls.url_paths["{0}/$"] = LabSsmResponse.dispatch
