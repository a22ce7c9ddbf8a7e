"""Where a file of a host is seen on a volume."""

from __future__ import annotations

from pathlib import PurePosixPath

from include.rules.points.backup_files import DatabaseFile
from include.rules.register.paths import is_below
from include.rules.register.tenants import DatabaseHost


def path_on_volume(file: DatabaseFile, host: DatabaseHost) -> str:
    """A database file's path as seen from the root of the volume it lies on, with forward slashes.

    Raises:
        ValueError: when it does not lie there; the plan has made sure that it does.
    """
    parts = PurePosixPath(file.physical_path.replace("\\", "/")).parts
    mount = PurePosixPath(str(host.mount).replace("\\", "/")).parts
    if not is_below(file.physical_path, str(host.mount)):
        raise ValueError(f"{file.physical_path} is not below {host.mount}")
    return "/".join(parts[len(mount) :])
