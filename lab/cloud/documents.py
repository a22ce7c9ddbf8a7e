"""The SSM documents that the lab's hosts know: what each runs its script with, and on which platforms.

Source for the shell (sh, whatever that is on the host) and for the arguments of PowerShell, which AWS's agent runs on
Linux too: https://github.com/aws/amazon-ssm-agent
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from moto.ec2.models.instances import Instance

from lab.cloud.devices import WINDOWS
from lab.cloud.hosts import SHELL


@dataclass(frozen=True)
class Document:
    """One document; `platforms` are those of DescribeInstanceInformation's PlatformType."""

    name: str
    plugin: str
    platforms: frozenset[str]
    script_name: str
    program: str
    arguments: tuple[str, ...] = ()

    def interpreter(self, instance_id: str) -> tuple[str, ...]:
        """What a script's path is given to.

        Raises:
            FileNotFoundError: this machine has no such program.
        """
        program = shutil.which(self.program)
        if program is None:
            raise FileNotFoundError(
                f"this machine has no {self.program}, so the lab cannot run {self.name} on host {instance_id}; nothing "
                f"of the script ran. Install {self.program} and start the lab again, or try the script on a real host."
            )
        return (program, *self.arguments)


DOCUMENTS = {
    document.name: document
    for document in (
        Document("AWS-RunShellScript", "aws:runShellScript", frozenset({"Linux", "MacOS"}), "_script.sh", *SHELL),
        Document(
            "AWS-RunPowerShellScript",
            "aws:runPowerShellScript",
            frozenset({"Windows", "Linux", "MacOS"}),
            "_script.ps1",
            "pwsh",
            ("-InputFormat", "None", "-Noninteractive", "-NoProfile", "-ExecutionPolicy", "unrestricted", "-f"),
        ),
    )
}


def platform_type(instance: Instance) -> str:
    """A host's platform in SSM's words; its image decides."""
    return "Windows" if instance.platform == WINDOWS else "Linux"
