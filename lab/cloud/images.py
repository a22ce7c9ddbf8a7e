"""Images that Amazon offers, as far as the lab needs them: a host is a Windows host when it was started from one."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.amis import Ami

from lab.cloud.devices import WINDOWS

AMAZON = "801119661308"
WINDOWS_IMAGE = "ami-00000000000002022"
"""ImageId for RunInstances; any other id is that of a Linux host."""


def windows_image(backend: Any) -> Ami:
    """The image of a Windows host in one account and region of the lab's EC2."""
    return Ami(
        backend,
        WINDOWS_IMAGE,
        name="Windows_Server-2022-English-Full-Base",
        description="Microsoft Windows Server 2022, as far as the lab goes",
        owner_id=AMAZON,
        owner_alias="amazon",
        public=True,
        platform=WINDOWS,
        virtualization_type="hvm",
        architecture="x86_64",
        root_device_type="ebs",
    )
