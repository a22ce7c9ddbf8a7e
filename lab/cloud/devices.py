"""Names under which a volume may be attached to a host.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html (Linux, HVM) and
https://docs.aws.amazon.com/AWSEC2/latest/WindowsGuide/device_naming.html (AWS's own drivers); AttachVolume's page names
`xvdh` for any host.
"""

from __future__ import annotations

import re

WINDOWS = "windows"
"""What EC2 calls the platform of a Windows host; other hosts have none."""

_ON_LINUX = re.compile(r"/dev/sd[a-z]|/dev/sda[12]|(/dev/)?xvd([a-z]|[a-d][a-x])")
_ON_WINDOWS = re.compile(r"xvd([a-z]|[bc][a-z])|/dev/sda1|/dev/sd[b-e]")


def is_device_name(name: str, platform: str | None) -> bool:
    """Whether a host of this platform takes a volume under this name."""
    return (_ON_WINDOWS if platform == WINDOWS else _ON_LINUX).fullmatch(name) is not None


def place(name: str) -> str:
    """The place a name stands for: `/dev/sdf`, `/dev/xvdf` and `xvdf` are one and the same."""
    return re.sub(r"^(/dev/)?(sd|xvd)", "", name).rstrip("0123456789")
