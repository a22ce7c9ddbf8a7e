"""Hosts: runs the scripts of include/scripts/ through AWS Systems Manager and reads what they answer.

A command carries a comment by which a later attempt finds it again: SendCommand has no token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from include.rules.errors import PerennialError, UnavailableError
from include.rules.register.tenants import Platform
from perennial.hooks import waits
from perennial.hooks.asynchronous import Fence
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AWS_ERRORS, error_code, is_throttled, is_transient, translate_errors
from perennial.hooks.aws.host_scripts import DOCUMENTS, script_lines
from perennial.settings import Settings

UNDER_WAY = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})

UNDER_WAY_AT_MOST = timedelta(days=1)
"""No script is under way for longer: a step ends it after half a day (`limit`), and nothing waits long to begin."""
NEVER_BEGUN = frozenset({"DeliveryTimedOut", "Undeliverable", "InvalidPlatform", "AccessDenied", "Terminated"})
"""StatusDetails of commands that no host has begun.

Source: docs.aws.amazon.com, "Understanding command statuses" (Systems Manager), where they are written with spaces.
"""

REFUSED = 3
"""Exit code by which our scripts say that they have changed nothing (include/scripts/lib/volume.sh, `refuse`)."""


class ScriptError(PerennialError):
    """A script on a host ended badly, or never began."""


class ScriptRefusedError(ScriptError):
    """A script on a host refused before it changed anything, or never reached the host."""


@contextmanager
def translate_script_errors(what: str, *, why: str, todo: str) -> Iterator[None]:
    """Turn a script within the block that ends badly, or never begins, into an UnavailableError for an operator."""
    try:
        yield
    except ScriptError as error:
        raise UnavailableError(f"{what}: {error.what}", why=why, todo=todo, **error.ids) from error


@dataclass(frozen=True)
class Outcome:
    """How a script ended: SSM's status, its exit code and what it wrote (at most 24,000 and 8,000 characters).

    `details` says more than the status, for instance whether a script that is `TimedOut` was ever begun.
    """

    status: str
    details: str
    exit_code: int
    output: str
    errors: str

    @property
    def has_changed_nothing(self) -> bool:
        """True when the script says so, or when it has never begun."""
        return self.exit_code == REFUSED or self.details in NEVER_BEGUN

    def answer(self) -> dict[str, Any]:
        """The JSON object that our scripts write as their last line."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return dict(json.loads(lines[-1])) if lines else {}


class Hosts:
    """The hosts of one AWS account and region.

    Args:
        conn_id: Airflow connection for SSM.
        poll: Seconds between two looks at a running script.
        fence: Asked before a script is sent or cancelled; raises when nobody may act any more.
    """

    def __init__(self, conn_id: str, poll: float, fence: Fence | None = None) -> None:
        self.conn_id, self.poll, self._fence = conn_id, poll, fence

    @classmethod
    def of(cls, settings: Settings, fence: Fence | None = None) -> Hosts:
        """The hosts of this deployment."""
        return cls(settings.aws_conn_id, settings.poll.total_seconds(), fence)

    async def run(
        self,
        instance: str,
        platform: Platform,
        script: str,
        parameters: Mapping[str, str],
        *,
        label: str,
        limit: int,
        start_within: int | None = None,
        is_look: bool = False,
    ) -> Outcome:
        """Run a script to its end, or take part in one that an earlier attempt has started.

        Args:
            instance: The host.
            platform: Its operating system, which decides the script's language.
            script: Name below include/scripts/, without suffix.
            parameters: What the script is asked, by name.
            label: Comment of the command, at most 100 characters; unique to what this run is for.
            limit: Seconds after which SSM ends the script.
            start_within: Seconds in which the host's agent must begin, COMMAND_BEGUN unless given; SSM takes 30 at
                least.
            is_look: It changes nothing and has to see what is so now: no earlier one is looked for (SSM lists those of
                30 days, page by page).

        Raises:
            ScriptError: when the script fails or never begins; the message shows what it wrote.
            AwsRejectedError: when SSM refuses to take it.
            UnavailableError: when SSM does not answer, or not say how it ended: the script may be running.
        """
        begun_within = start_within or int(waits.COMMAND_BEGUN.seconds)
        earlier = [] if is_look else await self._commands_under_way(instance, [label])
        command = (
            earlier[0]
            if earlier
            else await self._send(instance, platform, script, parameters, label, limit, begun_within)
        )
        told = replace(waits.COMMAND_TOLD, seconds=begun_within + limit + waits.COMMAND_TOLD.seconds)
        outcome = await self._outcome(instance, command, told)
        if outcome is None:
            raise UnavailableError(
                f"SSM has not said within {told} how the script {script} on host {instance} ended.",
                why="Its time is over; nobody knows what it has done.",
                todo="Look at the host and its SSM agent.",
                command=command,
            )
        if outcome.status != "Success":
            kind = ScriptRefusedError if outcome.has_changed_nothing else ScriptError
            raise kind(
                f"The script {script} on host {instance} ended with {outcome.status} (exit code {outcome.exit_code}): "
                f"{outcome.errors.strip()[-2000:] or outcome.output.strip()[-2000:] or 'it wrote nothing'}.",
                command=command,
            )
        return outcome

    async def cancel(self, instance: str, *labels: str) -> bool:
        """End the scripts that carry these labels, where they are still running; returns whether there was one.

        Raises:
            UnavailableError: when SSM does not answer, or a script has not ended in time: its host may hang.
        """
        commands = await self._commands_under_way(instance, labels)
        for command in commands:
            await self._cancel(instance, command)
        return bool(commands)

    async def _cancel(self, instance: str, command: str) -> None:
        ssm = await aws_client("ssm", self.conn_id)
        if self._fence:
            await self._fence()
        with translate_errors(f"A script on host {instance} could not be cancelled", command=command):
            await ssm.cancel_command(CommandId=command, InstanceIds=[instance])
        if await self._outcome(instance, command, waits.COMMAND_CANCELLED) is None:
            raise UnavailableError(
                f"A script on host {instance} was cancelled and has not ended within {waits.COMMAND_CANCELLED}.",
                why="The host may hang, and the script may still be at work.",
                todo="Look at the host.",
                command=command,
            )

    async def _send(
        self,
        instance: str,
        platform: Platform,
        script: str,
        parameters: Mapping[str, str],
        label: str,
        limit: int,
        start_within: int,
    ) -> str:
        lines = await asyncio.to_thread(script_lines, platform, script, parameters)
        ssm = await aws_client("ssm", self.conn_id, resend=False)
        if self._fence:
            await self._fence()
        with translate_errors(
            f"The script {script} could not be sent to host {instance}",
            todo=f"Check that the instance runs {platform} and that its SSM agent is online.",
        ):
            async for _ in waits.looks(waits.AWS_ANSWER, self.poll):
                try:
                    answer = await ssm.send_command(
                        InstanceIds=[instance],
                        DocumentName=DOCUMENTS[platform],
                        Comment=label[:100],
                        TimeoutSeconds=start_within,
                        Parameters={"commands": lines, "executionTimeout": [str(limit)]},
                    )
                    return str(answer["Command"]["CommandId"])
                except ClientError as error:
                    if not is_throttled(error):  # only this refusal proves that nothing was begun
                        raise
                    refusal = error
            raise refusal

    async def _commands_under_way(self, instance: str, labels: Collection[str]) -> list[str]:
        """Ids of the commands with these labels that have not ended, the newest first."""
        ssm, comments = await aws_client("ssm", self.conn_id), {label[:100] for label in labels}
        # SSM keeps commands for 30 days and lists 50 a page: a host that many tenants share has thousands of them.
        since = {"key": "InvokedAfter", "value": f"{datetime.now(UTC) - UNDER_WAY_AT_MOST:%Y-%m-%dT%H:%M:%SZ}"}
        pages = ssm.get_paginator("list_command_invocations").paginate(InstanceId=instance, Filters=[since])
        with translate_errors(f"The scripts running on host {instance} could not be listed"):
            found = [invocation async for page in pages for invocation in page["CommandInvocations"]]
        return [
            str(invocation["CommandId"])
            for invocation in found
            if invocation.get("Comment") in comments and invocation["Status"] in UNDER_WAY
        ]

    async def _outcome(self, instance: str, command: str, wait: waits.Wait) -> Outcome | None:
        """How a command has ended; None when SSM has not said so in time."""
        ssm = await aws_client("ssm", self.conn_id)
        async for _ in waits.looks(wait, self.poll, at_once=False):
            try:
                invocation = await ssm.get_command_invocation(CommandId=command, InstanceId=instance)
            except AWS_ERRORS as error:
                # Right after SendCommand the invocation may not be visible yet.
                if error_code(error) != "InvocationDoesNotExist" and not is_transient(error):
                    raise UnavailableError(
                        f"SSM does not say how the command on host {instance} ended: {error_code(error)}.",
                        command=command,
                    ) from error
            else:
                if invocation["Status"] not in UNDER_WAY:
                    return Outcome(
                        invocation["Status"],
                        invocation.get("StatusDetails", invocation["Status"]).replace(" ", ""),
                        int(invocation.get("ResponseCode", -1)),
                        invocation.get("StandardOutputContent", ""),
                        invocation.get("StandardErrorContent", ""),
                    )
        return None
