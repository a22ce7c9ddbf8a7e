"""Paths on hosts of either platform: how they compare, and which lies in which."""

from __future__ import annotations

from pathlib import PurePosixPath


def is_below(path: str, folder: str) -> bool:
    """True when `path` lies in `folder` or is it; of either platform."""
    return pure(path).is_relative_to(pure(folder))


def overlap(one: str, other: str) -> bool:
    """True when one of two folders lies in the other, or both are the same."""
    return is_below(one, other) or is_below(other, one)


def folder_of(path: str) -> str:
    """The folder that a file lies in, written as the file's path is."""
    cut = max(path.rfind("/"), path.rfind("\\") if is_windows(path) else -1)
    folder = path[:cut]
    return f"{folder}{path[cut]}" if folder == "" or folder.endswith(":") else folder


def is_windows(path: str) -> bool:
    """True when the path is written as on Windows: with a drive, or as a share."""
    return path[1:2] == ":" or path.startswith("\\")


def pure(path: str) -> PurePosixPath:
    """A path that compares as its platform compares paths: on Windows without regard to case."""
    return PurePosixPath(path.replace("\\", "/").lower() if is_windows(path) else path)
