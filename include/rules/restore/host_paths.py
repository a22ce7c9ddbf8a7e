"""Paths on hosts of either platform: which lies in which, and where a file is seen on a volume."""

from __future__ import annotations

from pathlib import PurePosixPath

from include.rules.points.backup_files import DatabaseFile
from include.rules.register.tenants import DatabaseHost


def is_below(path: str, folder: str) -> bool:
    """True when `path` lies in `folder` or is it; of either platform."""
    return pure(path).is_relative_to(pure(folder))


def overlap(one: str, other: str) -> bool:
    """True when one of two folders lies in the other, or both are the same."""
    return is_below(one, other) or is_below(other, one)


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


def is_windows(path: str) -> bool:
    """True when the path is written as on Windows: with a drive, or as a share."""
    return path[1:2] == ":" or path.startswith("\\")


def pure(path: str) -> PurePosixPath:
    """A path that compares as its platform compares paths: on Windows without regard to case."""
    return PurePosixPath(path.replace("\\", "/").lower() if is_windows(path) else path)
