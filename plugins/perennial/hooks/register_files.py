"""The two files of the register, as bytes that stood there at one moment, read again only when they have changed."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from include.rules.errors import ConfigurationError
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AWS_ERRORS, advice_for, error_code
from perennial.hooks.aws.objects import read_object_unless
from perennial.settings import Settings

TENANTS, PLANS = "tenants.yaml", "plans.yaml"

QUIET = 0.1
"""Seconds for which nobody has written to a file that is taken for written to its end."""

GRANULARITY = 2.0
"""Seconds within which a file system may give two contents of a file one and the same time (FAT: two)."""

READINGS = 100
"""How often a pair is read that changes while it is read, before it is refused."""


class MissingRegisterError(ConfigurationError):
    """There is no register: no tenants.yaml where the settings look for it."""


@dataclass(frozen=True)
class RegisterFile:
    """A file's content, and what tells it from an earlier or a later one: an ETag, or time, size and inode.

    The version is empty where it tells nothing: the file may be written once more without its showing.
    """

    content: bytes
    version: str


@dataclass(frozen=True)
class Pair:
    """The two files, which belong together."""

    tenants: RegisterFile
    plans: RegisterFile

    def is_same_as(self, other: Pair | None) -> bool:
        """True when both hold what the other's hold, whenever that was written."""
        return (
            other is not None
            and self.tenants.content == other.tenants.content
            and self.plans.content == other.plans.content
        )


def is_in_s3(settings: Settings) -> bool:
    """Whether each look at the register costs requests."""
    return urlsplit(settings.config).scheme == "s3"


async def read_pair(settings: Settings, known: Pair | None = None) -> Pair:
    """Both files as they stand, together, at one moment of this call.

    The first is looked at again after the second was read: if it is the same still, both stood there when the second
    was read. Where both are those that are known, they stood there when the first was looked at.

    Args:
        known: What was read before: only what has changed since is read.

    Raises:
        MissingRegisterError: when there is no tenants.yaml.
        ConfigurationError: when a file cannot be read, or never stands still.
    """
    for _ in range(READINGS):
        tenants = await _read(settings, TENANTS, known.tenants if known else None)
        pair = Pair(tenants, await _read(settings, PLANS, known.plans if known else None))
        if pair.is_same_as(known) or (await _read(settings, TENANTS, tenants)).content == tenants.content:
            return pair
        known = pair
    raise ConfigurationError(
        f"{settings.config}/{TENANTS} changed each of the {READINGS} times that it was read.",
        why="No two files that belong together were seen, so nothing was done.",
        todo="Find out what writes it all the time, and begin again.",
    )


async def _read(settings: Settings, name: str, known: RegisterFile | None) -> RegisterFile:
    """The file as it stands."""
    where = urlsplit(settings.config)
    try:
        if not is_in_s3(settings):
            return await _read_settled(Path(settings.config) / name, known)
        s3 = await aws_client("s3", settings.aws_conn_id)
        key = f"{where.path.strip('/')}/{name}".lstrip("/")
        changed = await read_object_unless(s3, where.netloc, key, known.version if known else "")
        if known and changed is None:
            return known
        return RegisterFile(changed.body, changed.etag) if changed else await _read(settings, name, None)
    except (OSError, *AWS_ERRORS) as error:
        is_missing = isinstance(error, FileNotFoundError) or error_code(error) == "NoSuchKey"
        kind = MissingRegisterError if is_missing and name == TENANTS else ConfigurationError
        raise kind(
            f"{settings.config}/{name} cannot be read: {error}.",
            why="Without it no tenant is known, so nothing was done.",
            todo=advice_for(error, "Check PERENNIAL_CONFIG and the rights of the component that reads it."),
        ) from error


async def _read_settled(path: Path, known: RegisterFile | None) -> RegisterFile:
    """A file of this machine; read again while somebody is at work on it."""
    for _ in range(READINGS):
        stored = await asyncio.to_thread(_read_file, path, known)
        if stored is not None:
            return stored
        await asyncio.sleep(QUIET)
    raise OSError(f"somebody has written to it for {READINGS * QUIET:.0f} s without an end")


def _read_file(path: Path, known: RegisterFile | None) -> RegisterFile | None:
    """The file, not read again if its version says that it is the known one; None when it may be half written."""
    if known and known.version and known.version == _version(path.stat()):
        return known
    with path.open("rb") as file:
        content, status = file.read(), os.fstat(file.fileno())
    age = time.time() - status.st_mtime
    is_new = known is None or known.content != content
    if _version(status) != _version(path.stat()) or len(content) != status.st_size or (is_new and 0 <= age < QUIET):
        return None
    return RegisterFile(content, _version(status) if age > GRANULARITY else "")


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns} {status.st_size} {status.st_dev} {status.st_ino}"
